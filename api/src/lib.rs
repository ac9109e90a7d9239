//! Who may do what: use cases, authentication, server key layer, gRPC.
