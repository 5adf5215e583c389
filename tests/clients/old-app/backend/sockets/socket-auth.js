// The old backend's socket middleware, to the letter (its types left out).

import jwt from "jsonwebtoken";

export const socketAuthMiddleware = (socket, next) => {
  try {
    // Get token from handshake auth
    const token = socket.handshake.auth?.token;

    if (!token) {
      return next(new Error("Authentication required"));
    }

    // Verify JWT token
    const decoded = jwt.verify(token, process.env.JWT_SECRET);

    // Attach user info to socket
    socket.userId = decoded.userId;
    socket.user = {
      _id: decoded.userId,
      name: decoded.name,
      email: decoded.email,
    };

    next();
  } catch (error) {
    next(new Error("Invalid or expired token"));
  }
};
