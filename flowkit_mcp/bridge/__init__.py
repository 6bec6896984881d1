"""The loopback WebSocket between FlowKit and the browser extension."""
