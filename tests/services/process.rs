//! A server that was started for a test: only this process is ever signalled, by its handle.

use std::{
    net::TcpListener,
    process::{Child, Command},
};

/// The process, which is killed and waited for when it is let go.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.0.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(status.success(), "kill -s {name}: {status}");
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
        self.0.wait().expect("a child of ours can be waited for");
    }

    /// Says that it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.0.try_wait().expect("a child of ours can be asked");
        status.map(|status| format!("it ended: {status}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody has just now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
