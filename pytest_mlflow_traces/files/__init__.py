"""Files: traces, baselines and expectations; written whole or not at all."""
