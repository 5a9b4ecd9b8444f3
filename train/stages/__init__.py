"""The stages of training: networks, multiscale fusion, and all jointly."""
