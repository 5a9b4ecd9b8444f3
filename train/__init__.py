"""Training of B-Net and E-Net: data, synthesis on the device, loop, export."""
