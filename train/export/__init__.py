"""What a run leaves behind: variables to train on, and weights to estimate with."""
