//! A node's line to the engine: calls and pushes take their time, each kind in its order; a line that is cut loses what
//! is under way, of calls the answers at least, and what was asked for may be done long after.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::ready};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    dice::Dice,
    engine::{Channel, Engine},
};
use crate::{
    backplane::{Answer, Append, Appended, Backplane, BackplaneError, Incoming, Table, Tail, Tops},
    key::RoomKey,
};

/// A call as it is done at the engine; it sends its answer itself, when that is there.
type Work = Box<dyn FnOnce(&Engine) -> Box<dyn FnOnce() + Send> + Send>;

/// How slow a line is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) call: Duration,
    pub(super) answer: Duration,
    pub(super) push: Duration,
    /// Of a hundred entries, so many are pushed twice.
    pub(super) twice: u64,
}

pub(super) struct Line {
    node: usize,
    engine: Arc<Engine>,
    dice: Dice,
    weather: Mutex<Weather>,
    incoming: mpsc::UnboundedSender<Incoming>,
    /// The number of the connection; 0 is none.
    connected: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: u64,
    is_ended: bool,
    wanted: HashSet<RoomKey>,
    calls: Option<mpsc::UnboundedSender<(Instant, Work)>>,
    subscriptions: Option<mpsc::UnboundedSender<(Instant, Work)>>,
    /// Calls are done no sooner.
    hangs_until: Option<Instant>,
    /// Of a connection that was cut, calls are done until then.
    ghosts_until: Option<Instant>,
}

impl Line {
    pub(super) fn new(
        node: usize,
        engine: Arc<Engine>,
        dice: Dice,
        weather: Weather,
        incoming: mpsc::UnboundedSender<Incoming>,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            engine,
            dice,
            weather: Mutex::new(weather),
            incoming,
            connected: watch::Sender::new(0),
            state: Mutex::default(),
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow() > 0
    }

    /// Connects: every subscription is made anew, and then calls are taken.
    pub(super) async fn connect(self: &Arc<Self>) {
        let (pushes, pushed) = mpsc::unbounded_channel();
        let number = {
            let mut state = self.state.lock();
            if state.is_ended {
                return;
            }
            state.connections += 1;
            let wanted = state.wanted.clone();
            self.engine.listen(self.node, wanted, pushes);
            state.connections
        };
        tokio::spawn(Arc::clone(self).hand_on(number, pushed));
        let (subscriptions, wishes) = mpsc::unbounded_channel();
        self.state.lock().subscriptions = Some(subscriptions);
        tokio::spawn(Arc::clone(self).work(number, wishes));
        let weather = *self.weather.lock();
        sleep(self.dice.up_to(weather.push)).await;
        let (calls, made) = mpsc::unbounded_channel();
        {
            let mut state = self.state.lock();
            if state.connections != number {
                return;
            }
            state.calls = Some(calls);
            state.hangs_until = None;
        }
        tokio::spawn(Arc::clone(self).work(number, made));
        self.connected.send_replace(number);
        let _ = self.incoming.send(Incoming::Up);
    }

    /// Cuts the connection. Calls that are under way may be done for `ghosts` still; their answers are lost.
    pub(super) fn cut(&self, ghosts: Duration) {
        {
            let mut state = self.state.lock();
            // One that was being made is not made any more.
            state.connections += 1;
            state.calls = None;
            state.subscriptions = None;
            state.ghosts_until = Some(Instant::now() + ghosts);
        }
        self.engine.cut(self.node);
        if self.connected.send_replace(0) > 0 {
            let _ = self.incoming.send(Incoming::Down);
        }
    }

    /// It is connected no more.
    pub(super) fn end(&self) {
        self.state.lock().is_ended = true;
    }

    /// Calls are not done for so long.
    pub(super) fn hang(&self, time: Duration) {
        self.state.lock().hangs_until = Some(Instant::now() + time);
    }

    /// Hands on what is pushed, until the connection is cut.
    async fn hand_on(
        self: Arc<Self>,
        number: u64,
        mut pushed: mpsc::UnboundedReceiver<(Instant, Incoming)>,
    ) {
        let mut again = None;
        while let Some((at, push)) = pushed.recv().await {
            let weather = *self.weather.lock();
            sleep_until(at + self.dice.up_to(weather.push)).await;
            if self.state.lock().connections != number {
                return;
            }
            if matches!(push, Incoming::Entry(..)) && self.dice.chance(weather.twice) {
                again = Some(push.clone());
            }
            let _ = self.incoming.send(push);
            if let Some(push) = again.take_if(|_| self.dice.chance(50)) {
                let _ = self.incoming.send(push);
            }
        }
    }

    /// Does calls in their order, and lets their answers out in their order.
    async fn work(
        self: Arc<Self>,
        number: u64,
        mut calls: mpsc::UnboundedReceiver<(Instant, Work)>,
    ) {
        let (answers, mut answered) =
            mpsc::unbounded_channel::<(Instant, Box<dyn FnOnce() + Send>)>();
        let line = Arc::clone(&self);
        tokio::spawn(async move {
            while let Some((at, answer)) = answered.recv().await {
                let most = line.weather.lock().answer;
                sleep_until(at + line.dice.up_to(most)).await;
                answer();
            }
        });
        while let Some((at, work)) = calls.recv().await {
            let most = self.weather.lock().call;
            sleep_until(at + self.dice.up_to(most)).await;
            let hangs_until = self.state.lock().hangs_until;
            if let Some(until) = hangs_until {
                sleep_until(until).await;
            }
            let is_done = {
                let state = self.state.lock();
                let ghosts_until = state.ghosts_until;
                state.connections == number
                    || ghosts_until.is_some_and(|until| until >= Instant::now())
            };
            if is_done {
                let _ = answers.send((Instant::now(), work(&self.engine)));
            }
        }
    }

    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, BackplaneError> + Send + 'static,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |engine| {
            let result = work(engine);
            // Who waited may be gone.
            Box::new(move || drop(answer.send(result)))
        });
        let mut connected = self.connected.subscribe();
        let number = *connected.borrow();
        let is_sent = self
            .state
            .lock()
            .calls
            .as_ref()
            .is_some_and(|calls| calls.send((Instant::now(), work)).is_ok());
        if !is_sent {
            return ready(Err(away())).boxed();
        }
        async move {
            tokio::select! {
                biased;
                answer = answered => answer.unwrap_or_else(|_| Err(away())),
                _ = connected.wait_for(|now| *now != number) => Err(away()),
            }
        }
        .boxed()
    }

    /// What nobody waits for. The next connection is not made before the engine has seen that this one is gone.
    fn send(&self, work: impl FnOnce(&Engine) + Send + 'static) {
        let connected = self.connected.subscribe();
        let number = *connected.borrow();
        let work: Work = Box::new(move |engine| {
            let now = *connected.borrow();
            if now == number || now == 0 {
                work(engine);
            }
            Box::new(|| {})
        });
        if let Some(calls) = &self.state.lock().calls {
            let _ = calls.send((Instant::now(), work));
        }
    }
}

impl Backplane for Line {
    fn ping(&self) -> Answer<()> {
        self.call(|_| Ok(()))
    }

    fn subscribe(&self, room: RoomKey) -> Answer<()> {
        let (answer, answered) = oneshot::channel();
        let node = self.node;
        let mut state = self.state.lock();
        state.wanted.insert(room);
        let work: Work = Box::new(move |engine| {
            engine.subscribe(node, room, true);
            Box::new(move || drop(answer.send(Ok(()))))
        });
        let subscriptions = state.subscriptions.as_ref();
        if subscriptions
            .is_none_or(|subscriptions| subscriptions.send((Instant::now(), work)).is_err())
        {
            return ready(Err(away())).boxed();
        }
        answered
            .map(|answer| answer.unwrap_or_else(|_| Err(away())))
            .boxed()
    }

    fn unsubscribe(&self, room: RoomKey) {
        let mut state = self.state.lock();
        state.wanted.remove(&room);
        let node = self.node;
        let work: Work = Box::new(move |engine| {
            engine.subscribe(node, room, false);
            Box::new(|| {})
        });
        if let Some(subscriptions) = &state.subscriptions {
            let _ = subscriptions.send((Instant::now(), work));
        }
    }

    fn append(&self, append: Append) -> Answer<Appended> {
        self.call(move |engine| engine.append(&append))
    }

    fn since(&self, room: RoomKey, offset: u64) -> Answer<Tail> {
        self.call(move |engine| engine.since(room, offset))
    }

    fn tops(&self, rooms: Vec<RoomKey>) -> Answer<Tops> {
        self.call(move |engine| engine.tops(&rooms))
    }

    fn pass(&self, room: RoomKey, payload: Bytes) {
        self.send(move |engine| engine.publish(Channel::Room(room), payload));
    }

    fn say(&self, payload: Bytes) {
        self.send(move |engine| engine.publish(Channel::Everybody, payload));
    }

    fn put(&self, table: Table, field: String, value: Option<Bytes>) {
        self.send(move |engine| engine.put(table, field, value));
    }

    fn take(&self, table: Table, field: String) -> Answer<Option<Bytes>> {
        self.call(move |engine| Ok(engine.take(table, &field)))
    }

    fn keep(&self, _: Vec<Table>) {}

    fn all(&self, table: Table) -> Answer<Vec<(String, Bytes)>> {
        self.call(move |engine| Ok(engine.all(table)))
    }
}

fn away() -> BackplaneError {
    BackplaneError::Away("the line is cut".into())
}
