"""What is the final answer of a response, and is it the reference answer? From notation to algebra."""
