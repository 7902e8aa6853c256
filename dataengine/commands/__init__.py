"""The verbs of the command line, a file each; its `command(argv)` opens with the line that `dataengine --help` prints."""
