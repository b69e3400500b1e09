"""One function per figure: data frame in, figure out."""
