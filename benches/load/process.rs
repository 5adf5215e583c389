//! A server in a process of its own, on a core of its own; what it has used is read from the system.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, anyhow};

/// The core that servers run on.
const SERVER_CORE: &str = "0";
/// The core that the clients, which are this process, run on.
const CLIENT_CORE: &str = "1";
/// How a server says where it listens.
const LISTENING: &str = "listening on http://";

/// Keeps this process, and every thread that it starts later, on the core of the clients.
pub(crate) fn pin_clients() -> anyhow::Result<()> {
    let me = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-cp", CLIENT_CORE, &me])
        .stdout(Stdio::null())
        .status()
        .context("taskset (util-linux) is needed")?;
    anyhow::ensure!(status.success(), "a machine with two cores is needed");
    Ok(())
}

/// A server that is running. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a command on the servers' core, and waits until it says on standard error where it listens.
    pub(crate) fn start(command: &Command) -> anyhow::Result<Self> {
        let mut pinned = Command::new("taskset");
        pinned
            .args(["-c", SERVER_CORE])
            .arg(command.get_program())
            .args(command.get_args())
            .stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => pinned.env(name, value),
                None => pinned.env_remove(name),
            };
        }
        let mut child = pinned.spawn().context("taskset (util-linux) is needed")?;
        let stderr = child.stderr.take().context("it is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            address = line
                .split_once(LISTENING)
                .and_then(|(_, address)| address.trim().parse().ok());
            if address.is_some() {
                break;
            }
            eprintln!("{line}");
        }
        // What it says later is passed on too, so that it never writes to nobody.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("{line}");
            }
        });
        let mut process = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        process.address = address.context("the server ended before it listened")?;
        Ok(process)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time that it has used so far, in its own code and in the system.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        /// The unit in which Linux gives these two, whatever its clock.
        const TICK: Duration = Duration::from_millis(10);
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, which may hold anything, ends with the last parenthesis.
        let fields = stat.rsplit(')').next().context("a name")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u32 = ticks.map(str::parse::<u32>).sum::<Result<_, _>>()?;
        Ok(TICK * ticks)
    }

    /// Bytes of its memory that are resident.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .ok_or_else(|| anyhow!("no VmRSS"))?
            .parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
