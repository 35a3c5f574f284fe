// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server's loop.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use ims_vfio::Hold;
use rustix::io::Errno;

use super::interest::Token;
use super::listener::{Door, Listener};
use super::poll::{Found, Poll, Ready};
use super::served::Served;
use crate::calls::this_thread_receives;
use crate::client::Shared;
use crate::connection::{Connection, Desk, Ended, Turn};
use crate::control::Control;
use crate::inbox::Buffers;
use crate::limits::Limits;
use crate::memory::Files;
use crate::replies::Replies;
use crate::wake::{Event, Events};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// How often unanswered commands are looked at, while there are some.
const TICK: Duration = Duration::from_millis(100);

/// The loop's state.
pub(super) struct Service {
    poll: Poll,
    desk: Desk,
    events: Arc<Events>,
    listeners: HashMap<u64, Listener>,
    connections: HashMap<u64, Served>,
    next: u64,
    ticked: Instant,
    /// Looks at the time now and then, for answers may be late.
    ticking: bool,
    stopping: Option<Instant>,
}

impl Service {
    pub(super) fn new(limits: Limits, events: Arc<Events>) -> Result<Self, Errno> {
        let poll = Poll::new()?;
        poll.watch(&*events, Token::Wake)?;
        Ok(Self {
            poll,
            desk: Desk {
                shared: Shared {
                    limits,
                    files: Files::default(),
                    events: Arc::clone(&events),
                },
                buffers: Buffers::new(BUFFER),
                replies: Replies::default(),
                turn: Turn::default(),
            },
            events,
            listeners: HashMap::new(),
            connections: HashMap::new(),
            next: 1,
            ticked: Instant::now(),
            ticking: false,
            stopping: None,
        })
    }

    pub(super) fn run(mut self) {
        this_thread_receives();
        let mut found = Found::new();
        while !self.is_over() {
            let limit = self.next_tick();
            if let Err(errno) = self.poll.wait(&mut found, limit) {
                tracing::error!(%errno, "cannot wait for sockets");
                break;
            }
            let mut number = 0;
            while let Some(ready) = found.ready(number) {
                self.ready(ready);
                number += 1;
            }
            self.take_events();
            if limit.is_some() {
                self.tick();
            }
            let turn = std::mem::take(&mut self.desk.turn);
            if turn.was_posted() && self.desk.shared.limits.gather_posted {
                // Nobody waits, and a posted write seldom comes alone: a client that
                // shares this CPU writes on, and is read all at once. On a CPU of our
                // own this costs a system call.
                rustix::thread::sched_yield();
            }
        }
        let connections: Vec<u64> = self.connections.keys().copied().collect();
        for id in connections {
            self.end(id, &Ended::ByServer);
        }
    }

    fn ready(&mut self, ready: Ready) {
        match ready.token {
            Token::Wake => self.events.drain(),
            Token::Listener(id) => self.accept(id),
            Token::Connection(id) => self.serve(id, |connection, desk| {
                if ready.writable {
                    connection.writable(desk)?;
                }
                if ready.ended {
                    connection.ends();
                }
                if ready.readable {
                    connection.readable(desk)?;
                }
                Ok(())
            }),
            Token::Twin(id) => self.serve(id, |connection, desk| {
                if ready.writable {
                    connection.writable(desk)?;
                }
                if ready.readable {
                    connection.twin_readable(desk)?;
                }
                Ok(())
            }),
            Token::Unmask(id) => self.serve(id, |connection, _| {
                connection.unmask_signalled();
                Ok(())
            }),
        }
    }

    /// Does something with a connection, ends it if that fails, and sees what it is
    /// to be watched for afterwards.
    fn serve(
        &mut self,
        id: u64,
        serve: impl FnOnce(&mut Connection, &mut Desk) -> Result<(), Ended>,
    ) {
        // It may have ended since it became ready.
        let Some(served) = self.connections.get_mut(&id) else {
            return;
        };
        let (connection, desk) = (&mut served.connection, &mut self.desk);
        // One device that panics is one device less, and not the end of all.
        let outcome = catch_unwind(AssertUnwindSafe(|| serve(connection, desk)));
        let outcome = outcome.unwrap_or_else(|_| {
            desk.replies.clear();
            Err(Ended::Panicked)
        });
        let outcome = outcome.and_then(|()| {
            let reading =
                self.stopping.is_none() && served.connection.wants_more(&self.desk.shared);
            Ok(served.watch(&self.poll, id, reading)?)
        });
        if let Err(ended) = outcome {
            self.end(id, &ended);
        }
    }

    fn accept(&mut self, id: u64) {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return;
        };
        let Some(door) = listener.door.as_ref().filter(|_| !listener.busy) else {
            return;
        };
        match door.socket.accept() {
            Ok((client, _)) => {
                self.poll.forget(&door.socket);
                let endpoint = listener.endpoint.clone();
                listener.busy = true;
                self.connect(id, client.into(), endpoint);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // It shows again; a client that went is no concern.
            Err(error) => {
                let device = listener.name();
                tracing::warn!(device, %error, "a client could not be accepted");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn connect(&mut self, listener: u64, socket: OwnedFd, endpoint: ims_vfio::Endpoint) {
        let id = self.next;
        self.next += 1;
        let unread = self.desk.shared.limits.unread;
        let connection = Connection::new(id, listener, socket, endpoint, unread);
        if let Err(errno) = self.poll.watch(&connection, Token::Connection(id)) {
            tracing::warn!(%errno, "a client cannot be watched, and is let go");
            return self.release(listener);
        }
        self.connections.insert(id, Served::new(connection));
    }

    /// Ends a connection. Its device can have the next client when nobody uses the
    /// memory of this one any more.
    fn end(&mut self, id: u64, why: &Ended) {
        let Some(served) = self.connections.remove(&id) else {
            return;
        };
        let listener = served.connection.listener;
        let device = self.listeners.get(&listener);
        let device = device.map_or("", Listener::name);
        let client = served.client;
        match why {
            Ended::ByClient | Ended::ByServer => {
                tracing::debug!(device, client, %why, "client gone");
            }
            Ended::Panicked | Ended::Stream(_) | Ended::Closing(_) => {
                tracing::warn!(device, client, %why, "client disconnected; it may connect anew");
            }
        }
        served.forget(&self.poll);
        let events = Arc::clone(&self.events);
        let hold = Hold::new(move || events.push(Event::Released(listener)));
        served.connection.end(&mut self.desk, hold);
    }

    /// A device has no client any more.
    fn release(&mut self, id: u64) {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return;
        };
        listener.busy = false;
        let watched = match &listener.door {
            Some(door) if self.stopping.is_none() => {
                self.poll.watch(&door.socket, Token::Listener(id))
            }
            Some(_) => Ok(()),
            None => {
                self.listeners.remove(&id);
                Ok(())
            }
        };
        if let Err(errno) = watched {
            tracing::error!(%errno, "a device can take no more clients");
        }
    }

    fn take_events(&mut self) {
        for event in self.events.take() {
            match event {
                Event::Backlog(id) => self.serve(id, Connection::writable),
                Event::Quiet(id) => self.serve(id, Connection::quiet),
                Event::Released(listener) => self.release(listener),
                Event::Control(control) => self.control(control),
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Listen {
                id,
                listener,
                path,
                endpoint,
            } => {
                let listener = Listener {
                    door: Some(Door {
                        socket: listener,
                        path,
                    }),
                    endpoint,
                    busy: false,
                };
                self.listeners.insert(id, listener);
                self.release(id);
            }
            Control::Adopt {
                id,
                socket,
                endpoint,
            } => {
                let listener = Listener {
                    door: None,
                    endpoint: endpoint.clone(),
                    busy: true,
                };
                self.listeners.insert(id, listener);
                self.connect(id, socket, endpoint);
            }
            Control::Remove { id, done } => self.remove(id, &done),
            Control::Stop => {
                self.stopping = Some(Instant::now() + self.desk.shared.limits.stop);
                let ids: Vec<u64> = self.connections.keys().copied().collect();
                for id in ids {
                    // Reads no more; what it has read is finished.
                    self.serve(id, |_, _| Ok(()));
                }
            }
        }
    }

    fn remove(&mut self, id: u64, done: &Sender<()>) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            if let Some(door) = listener.door.take() {
                self.poll.forget(&door.socket);
            }
            if !listener.busy {
                self.listeners.remove(&id);
            }
        }
        let of_device = |(connection, served): (&u64, &Served)| {
            (served.connection.listener == id).then_some(*connection)
        };
        let theirs: Vec<u64> = self.connections.iter().filter_map(of_device).collect();
        for connection in theirs {
            self.end(connection, &Ended::ByServer);
        }
        let _ = done.send(());
    }

    fn is_over(&self) -> bool {
        self.stopping.is_some_and(|deadline| {
            Instant::now() >= deadline
                || self
                    .connections
                    .values()
                    .all(|served| served.connection.is_idle())
        })
    }

    /// How long to wait: for ever while nothing can fall due.
    fn next_tick(&mut self) -> Option<Duration> {
        self.ticking |= self.stopping.is_some() || !self.events.unanswered().may_sleep();
        self.ticking.then_some(TICK)
    }

    /// Fails what clients have not answered in time.
    fn tick(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        for served in self.connections.values() {
            if let Some(calls) = served.connection.client().calls() {
                calls.expire(now);
            }
        }
        self.ticking = self.events.unanswered().was_busy();
    }
}
