"""What a plan will take, before anything is computed: time, memory and disk. No torch here but in `measure`."""
