//! Wire and model types of CollabFlow: bytes in, values out. Nothing here knows a clock, a socket or a log.
