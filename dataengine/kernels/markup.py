"""Names in LaTeX and HTML that say how a text looks: no words to whoever compares what it says."""

SET_TYPE = """left middle right limits nolimits quad qquad dots ldots cdots dotsb dotsc noindent nonumber
displaystyle textstyle scriptstyle scriptscriptstyle big bigl bigm bigr Big Bigl Bigm Bigr bigg biggl biggm biggr Bigg Biggl Biggm Biggr
text textrm textbf textit textsf texttt textnormal textup mbox hbox emph underline rm bf it sf tt boldsymbol bm ensuremath
mathrm mathbf mathit mathsf mathtt mathbb mathcal mathfrak mathscr mathnormal operatorname mathop mathrel mathbin"""
"""LaTeX commands that say how something looks, not what it is."""
ENTITIES = "nbsp amp lt gt quot apos lsquo rsquo ldquo rdquo ndash mdash hellip thinsp ensp emsp minus times middot bull"
"""HTML's names of signs: none of them is a letter."""
TAGS = """a b blockquote br center code del div em font hr i img ins li mark ol p pre s small span strong sub sup table tbody td th thead
tr tt u ul"""
"""HTML elements, whose tags are signs: as `<b>`, `</b>`, `<br/>`, or with an attribute in quotes."""
COMMANDS = """nabla natural ne nearrow neg neq newcommand newline nexists ngeq nless ni nleq nmid norm not notin nparallel nprec nsim
nsubseteq nsucc nu null nwarrow tag tan tanh tau tbinom textcolor textdegree textgreater textless textsubscript textsuperscript tfrac
therefore theta thickapprox thicksim thinspace tilde times to top triangle trianglelefteq trianglerighteq twoheadrightarrow"""
"""LaTeX commands that begin with n or t: any other letters behind `\\n` and `\\t` stand behind a line break or a tab."""
