// The old client's chat of a project, from the guide's event reference: joined once, then shown as it comes.
// The project's own id is the channel, since the old backend stores no channels.

import { useEffect, useState } from "react";

export const useChat = (channelId, { emit, on }) => {
  const [messages, setMessages] = useState([]);

  useEffect(() => {
    emit("chat:join", channelId);

    const unsubMessage = on("chat:newMessage", (message) => {
      setMessages((prev) => [...prev, message]);
    });

    return () => {
      emit("chat:leave", channelId);
      unsubMessage();
    };
  }, [channelId]);

  const sendMessage = (content) => {
    emit("chat:message", { channelId, content });
  };

  return { messages, sendMessage };
};
