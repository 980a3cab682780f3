"""How often runs of an agent are as they should be: bounds, sequential tests, what became more frequent."""
