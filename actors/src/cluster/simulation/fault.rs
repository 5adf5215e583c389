//! How faults are brought about, and mended.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{engine::Refuses, plan::Fault, world::World};

/// How long a call is waited for.
const CALLS_WAIT: Duration = Duration::from_secs(2);

impl World {
    pub(super) fn break_by(self: &Arc<Self>, fault: Fault) {
        self.note(&format!("{fault:?}"));
        self.faults.lock().push(tokio::time::Instant::now());
        let world = Arc::clone(self);
        tokio::spawn(async move {
            match fault {
                Fault::Cut { node, time, ghosts } => world.cut(node, time, ghosts).await,
                Fault::Hang { node, time } => world.hang(node, time).await,
                Fault::Empty { time } => {
                    world.engine.restart_empty();
                    for (number, running) in world.running() {
                        running.line.cut(Duration::ZERO);
                        let world = Arc::clone(&world);
                        let time = world.dice.up_to(time);
                        tokio::spawn(async move { world.connect_after(number, time).await });
                    }
                }
                Fault::Kill { node, time } => world.kill(node, time).await,
                Fault::Refuse { what, time } => {
                    world.engine.refuse(what);
                    sleep(time).await;
                    world.engine.refuse(Refuses::Nothing);
                }
            }
        });
    }

    async fn cut(&self, node: usize, time: Duration, ghosts: Duration) {
        if let Some(running) = self.run_of(node) {
            running.line.cut(ghosts);
            self.connect_after(node, time).await;
        }
    }

    /// Calls are not done for a while: those that wait for too long end the connection, and are done all the same.
    async fn hang(&self, node: usize, time: Duration) {
        let Some(running) = self.run_of(node) else {
            return;
        };
        running.line.hang(time);
        if time > CALLS_WAIT {
            sleep(CALLS_WAIT).await;
            let rest = time.checked_sub(CALLS_WAIT).unwrap_or_default();
            let ghosts = self.dice.up_to(rest * 2);
            running.line.cut(ghosts);
            let pause = self.dice.up_to(Duration::from_millis(500));
            self.connect_after(node, rest / 2 + pause).await;
        }
    }

    /// The node says nothing more, whatever it was about to do; clients find their lines gone.
    async fn kill(&self, node: usize, time: Duration) {
        let Some(running) = self.take_node(node) else {
            return;
        };
        // What it has sent before may still be done.
        running
            .line
            .cut(self.dice.up_to(Duration::from_millis(500)));
        running.line.end();
        running.node.registry.stop().await;
        sleep(time).await;
        self.start_node(node).await;
    }

    async fn connect_after(&self, node: usize, time: Duration) {
        sleep(time).await;
        if let Some(running) = self.run_of(node)
            && !running.line.is_connected()
        {
            running.line.connect().await;
            self.note(&format!("node {node} is connected"));
        }
    }

    /// Ends whatever is wrong.
    pub(super) async fn mend(&self) {
        self.note("all is mended");
        self.engine.refuse(Refuses::Nothing);
        for (number, _) in self.running() {
            self.connect_after(number, Duration::ZERO).await;
        }
    }
}
