"""B-Net and E-Net: architecture, layers, and what they read at edge points."""
