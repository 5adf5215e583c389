// The page in a real browser: signs in with the token that the login page left, connects, and mounts the project page
// once connected (the guide's page sends its join only then).

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useAuthStore } from "../client/auth-store.js";
import { useSocket } from "../client/use-socket.js";
import { ProjectPage } from "./project-page.jsx";

function Dashboard({ projectId }) {
  const { socket, on } = useSocket();
  const [isReady, setIsReady] = useState(socket.connected);

  useEffect(() => on("connect", () => setIsReady(true)), []);

  return isReady ? <ProjectPage params={{ projectId }} /> : <p>Connecting…</p>;
}

const { token, user } = JSON.parse(localStorage.getItem("auth"));
useAuthStore.signIn(token, user);
createRoot(document.getElementById("root")).render(<Dashboard projectId={location.pathname.split("/").pop()} />);
