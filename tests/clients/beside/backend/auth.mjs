// Accounts of the Node backend: bcryptjs at cost 10, and jsonwebtoken.

import bcrypt from "bcryptjs";
import { Router } from "express";
import jwt from "jsonwebtoken";

export function authRoutes({ User }, secret) {
  const welcome = ({ _id, name, email, avatar }) => ({
    token: jwt.sign({ userId: _id, name, email }, secret, { expiresIn: "7d" }),
    user: { _id, name, email, avatar },
  });

  return Router()
    .post("/register", async (req, res) => {
      const { name, email, password } = req.body;
      if (await User.exists({ email })) return res.status(409).json({ message: "User already exists" });
      const user = await User.create({ name, email, password: await bcrypt.hash(password, 10) });
      return res.status(201).json(welcome(user));
    })
    .post("/login", async (req, res) => {
      const { email, password } = req.body;
      const user = await User.findOne({ email });
      const matches = user && (await bcrypt.compare(password, user.password));
      return matches ? res.json(welcome(user)) : res.status(401).json({ message: "Invalid credentials" });
    });
}
