"""From sparse readings to a dense map by the domain transform."""
