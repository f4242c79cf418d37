"""LoRA fine-tuning with a weight an example."""
