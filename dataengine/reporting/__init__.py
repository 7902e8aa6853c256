"""What a person sees of a run: funnel, stages, curves, and what people said."""
