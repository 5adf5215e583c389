// The guide's project page with the markup that the guide leaves out: a board of four columns, and the chat below it.

import { useState } from "react";
import { useProjectPage } from "../client/use-project-page.js";

const STATUSES = ["todo", "in-progress", "review", "done"];

const byPlace = (a, b) => {
  const [x, y] = a.position === b.position ? [a._id, b._id] : [a.position, b.position];
  return x < y ? -1 : 1;
};

export function ProjectPage({ params }) {
  const { projectId } = params;
  const { tasks, onlineUsers, messages, createTask, editTask, dragTask, deleteTask, sendMessage } =
    useProjectPage(projectId);

  const drop = (status) => (event) => {
    const task = tasks.find(({ _id }) => _id === event.dataTransfer.getData("text/plain"));
    if (task && task.status !== status) dragTask(task._id, task.status, status);
  };

  return (
    <div>
      <div data-testid="online">Online: {onlineUsers.length} users</div>
      <LineForm label="New task" onSubmit={(title) => createTask({ title })} />
      <div className="board">
        {STATUSES.map((status) => (
          <section
            key={status}
            className="column"
            data-status={status}
            onDragOver={(event) => event.preventDefault()}
            onDrop={drop(status)}
          >
            <h2>{status}</h2>
            {tasks
              .filter((task) => task.status === status)
              .sort(byPlace)
              .map((task, index) => (
                <Card key={`${task._id} ${index}`} task={task} onEdit={editTask} onDelete={deleteTask} />
              ))}
          </section>
        ))}
      </div>
      <ul data-testid="chat">
        {messages.map((message, index) => (
          <li key={index}>{`${message.sender?.name}: ${message.content}`}</li>
        ))}
      </ul>
      <LineForm label="New message" onSubmit={sendMessage} />
    </div>
  );
}

function Card({ task, onEdit, onDelete }) {
  const [isEditing, setIsEditing] = useState(false);

  const save = (title) => {
    setIsEditing(false);
    onEdit(task._id, { title });
  };

  return (
    <article
      className="card"
      data-task={task._id}
      draggable
      onDragStart={(event) => event.dataTransfer.setData("text/plain", task._id)}
    >
      {isEditing ? (
        <LineForm label="Title" initial={task.title} onSubmit={save} />
      ) : (
        <p data-testid="title">{task.title}</p>
      )}
      <button onClick={() => setIsEditing(true)}>Edit</button>
      <button onClick={() => onDelete(task._id)}>Delete</button>
    </article>
  );
}

function LineForm({ label, initial = "", onSubmit }) {
  const [text, setText] = useState(initial);

  const submit = (event) => {
    event.preventDefault();
    setText("");
    onSubmit(text);
  };

  return (
    <form onSubmit={submit}>
      <input aria-label={label} value={text} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}
