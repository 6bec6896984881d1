"""Google Flow through the user's own signed-in browser tab."""
