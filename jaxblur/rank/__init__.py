"""Many photos by sharpness: a fast pass that reads a budget of edge points and makes no map."""
