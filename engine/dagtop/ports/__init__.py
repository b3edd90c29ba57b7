"""What the runtime needs from the outside, as small protocols. The adapters are one file each."""
