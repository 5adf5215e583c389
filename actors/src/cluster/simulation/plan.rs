//! What a seed decides: how many nodes and clients there are, how slow everything is, and what goes wrong when.

use std::time::Duration;

use super::{dice::Dice, engine::Refuses, line::Weather};

/// How long clients write.
pub(super) const WRITES_FOR: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) users: u8,
    pub(super) clients: usize,
    pub(super) log_length: usize,
    pub(super) weather: Weather,
    /// Clients drop their lines, and come back.
    pub(super) drops_lines: bool,
    /// When what goes wrong, in its order.
    pub(super) faults: Vec<(Duration, Fault)>,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A node's connection is cut, and made again after a time.
    Cut {
        node: usize,
        time: Duration,
        ghosts: Duration,
    },
    /// A node's calls are not done for a time.
    Hang { node: usize, time: Duration },
    /// The engine loses everything, and each node connects again within a time.
    Empty { time: Duration },
    /// A node dies, and starts again under its name after a time.
    Kill { node: usize, time: Duration },
    /// The engine refuses calls for a time.
    Refuse { what: Refuses, time: Duration },
}

impl Plan {
    pub(super) fn roll(dice: &Dice) -> Self {
        let millis = |most: u64| Duration::from_millis(1 + dice.below(most));
        let slow = if dice.chance(20) { 300 } else { 30 };
        let weather = Weather {
            call: millis(slow),
            answer: millis(slow),
            push: millis(slow),
            twice: if dice.chance(50) { 10 } else { 0 },
        };
        let nodes = 2 + usize::from(dice.chance(40));
        let clients = 3 + usize::from(dice.chance(50)) + usize::from(dice.chance(50));
        let log_length = if dice.chance(20) { 5 } else { 1_000 };
        let drops_lines = dice.chance(40);
        // Some schedules are without a fault.
        let faults = (0..dice.below(4)).map(|_| {
            let at = dice.up_to(WRITES_FOR);
            (at, Fault::roll(dice, nodes))
        });
        let mut faults: Vec<_> = faults.collect();
        faults.sort_by_key(|(at, _)| *at);
        Self {
            nodes,
            users: 3,
            clients,
            log_length,
            weather,
            drops_lines,
            faults,
        }
    }
}

impl Fault {
    fn roll(dice: &Dice, nodes: usize) -> Self {
        let seconds = |most| dice.up_to(Duration::from_secs(most));
        let node = usize::try_from(dice.below(nodes as u64)).unwrap_or(0);
        let kills = std::env::var_os("SIMULATION_KILLS").is_some();
        match dice.below(12) {
            0..4 => Self::Cut {
                node,
                time: seconds(if dice.chance(50) { 1 } else { 6 }),
                ghosts: seconds(2),
            },
            4..6 => Self::Hang {
                node,
                time: seconds(5),
            },
            6..8 => Self::Empty { time: seconds(4) },
            8..10 if kills => Self::Kill {
                node,
                time: seconds(8),
            },
            8..11 => Self::Refuse {
                what: Refuses::Writes,
                time: seconds(5),
            },
            _ => Self::Refuse {
                what: Refuses::Scripts,
                time: seconds(5),
            },
        }
    }
}
