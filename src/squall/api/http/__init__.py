"""The kernel of the API: application, requests and answers, gate, server, OpenAPI."""
