// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses some of whose bytes travel in messages.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::Inner;
use super::error::DmaError;
use super::gate::Pass;
use super::map::Entry;
use super::piece::{Pieces, Pin};
use super::remote::Remote;

/// What is called when all of an access is done.
pub(super) type Then = Box<dyn FnOnce(Result<&[u8], DmaError>) + Send>;

/// An access whose messages are under way. Each of them has a part in it; when the
/// last part goes, all is done.
pub(super) struct Gather {
    so_far: Mutex<SoFar>,
    // Dropped after `then` was called: what that does is part of the session.
    _pass: Pass,
}

struct SoFar {
    /// What was read.
    bytes: Vec<u8>,
    /// What went wrong first.
    error: Option<DmaError>,
    then: Option<Then>,
}

impl Drop for Gather {
    fn drop(&mut self) {
        let so_far = self
            .so_far
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(then) = so_far.then.take() {
            match so_far.error {
                Some(error) => then(Err(error)),
                None => then(Ok(&so_far.bytes)),
            }
        }
    }
}

/// One message's part.
struct Part {
    // Before the gather: no map is held while whoever waits is called.
    _pin: Pin,
    gather: Arc<Gather>,
    at: usize,
    length: usize,
    answered: bool,
}

impl Part {
    fn read(mut self, answer: Result<&[u8], Errno>) {
        self.answered = true;
        match answer {
            Ok(bytes) if bytes.len() == self.length => {
                let mut so_far = self.gather.lock();
                let end = self.at.saturating_add(self.length);
                if let Some(to) = so_far.bytes.get_mut(self.at..end) {
                    to.copy_from_slice(bytes);
                }
            }
            // A client that answers with less breaks the protocol.
            Ok(_) => self.gather.fail(DmaError::Remote(Errno::BADMSG)),
            Err(errno) => self.gather.fail(DmaError::Remote(errno)),
        }
    }

    fn written(mut self, answer: Result<(), Errno>) {
        self.answered = true;
        if let Err(errno) = answer {
            self.gather.fail(DmaError::Remote(errno));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.answered {
            // The callback was dropped and not called: nobody will answer.
            self.gather.fail(DmaError::Remote(Errno::CANCELED));
        }
    }
}

impl Gather {
    fn new(pass: &Pass, bytes: Vec<u8>, then: Then) -> Arc<Self> {
        Arc::new(Self {
            so_far: Mutex::new(SoFar {
                bytes,
                error: None,
                then: Some(then),
            }),
            _pass: pass.clone(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: DmaError) {
        self.lock().error.get_or_insert(error);
    }

    /// Reads all pieces; `then` is called when the last one is there.
    pub(super) fn read(inner: &Inner, pass: &Pass, pieces: Pieces, length: usize, then: Then) {
        let mut bytes = Vec::new();
        // The length may be a guest's.
        if bytes.try_reserve_exact(length).is_err() {
            return then(Err(DmaError::TooLong));
        }
        bytes.resize(length, 0);
        let remote = pieces.remote.clone();
        let gather = Self::new(pass, bytes, then);
        let mut sent = Sent::default();
        for piece in pieces.into_iter() {
            match &remote {
                Some(remote) if piece.by_message() => {
                    sent.add(&piece.pin);
                    let part = Part {
                        _pin: piece.pin,
                        gather: Arc::clone(&gather),
                        at: piece.at,
                        length: piece.length,
                        answered: false,
                    };
                    remote.read(
                        piece.address,
                        piece.length,
                        Box::new(move |answer| part.read(answer)),
                    );
                }
                _ => {
                    let copied = piece.copy_out(&mut gather.lock().bytes);
                    if let Err(error) = copied {
                        gather.fail(error);
                    }
                }
            }
        }
        sent.settle(inner, pass, remote);
    }

    /// Writes all pieces; `then` is called when the last one is there.
    pub(super) fn write(inner: &Inner, pass: &Pass, pieces: Pieces, data: &[u8], then: Then) {
        let remote = pieces.remote.clone();
        let gather = Self::new(pass, Vec::new(), then);
        let mut sent = Sent::default();
        for piece in pieces.into_iter() {
            match &remote {
                Some(remote) if piece.by_message() => {
                    let end = piece.at.saturating_add(piece.length);
                    let bytes = data.get(piece.at..end).unwrap_or_default();
                    sent.add(&piece.pin);
                    let part = Part {
                        _pin: piece.pin,
                        gather: Arc::clone(&gather),
                        at: piece.at,
                        length: piece.length,
                        answered: false,
                    };
                    remote.write(
                        piece.address,
                        bytes,
                        Box::new(move |answer| part.written(answer)),
                    );
                }
                _ => {
                    if let Err(error) = piece.copy_in(data) {
                        gather.fail(error);
                    }
                }
            }
        }
        sent.settle(inner, pass, remote);
    }

    /// Reads all pieces and waits for them.
    pub(super) fn read_and_wait(
        inner: &Inner,
        pass: &Pass,
        pieces: Pieces,
        length: usize,
    ) -> Result<Vec<u8>, DmaError> {
        let (done, wait) = sync_channel(1);
        let then = Box::new(move |result: Result<&[u8], DmaError>| {
            // Nobody is gone: whoever waits waits below.
            let _ = done.send(result.map(<[u8]>::to_vec));
        });
        Self::read(inner, pass, pieces, length, then);
        wait.recv()
            .unwrap_or(Err(DmaError::Remote(Errno::CANCELED)))
    }

    /// Writes all pieces and waits for them.
    pub(super) fn write_and_wait(
        inner: &Inner,
        pass: &Pass,
        pieces: Pieces,
        data: &[u8],
    ) -> Result<(), DmaError> {
        let (done, wait) = sync_channel(1);
        let then = Box::new(move |result: Result<&[u8], DmaError>| {
            let _ = done.send(result.map(|_| ()));
        });
        Self::write(inner, pass, pieces, data, then);
        wait.recv()
            .unwrap_or(Err(DmaError::Remote(Errno::CANCELED)))
    }
}

/// The maps that messages were sent for.
#[derive(Default)]
struct Sent(Vec<Arc<Entry>>);

impl Sent {
    fn add(&mut self, pin: &Pin) {
        self.0.push(Arc::clone(pin.shared()));
    }

    /// Fails what was just sent if whoever stops the device, or takes a map, may
    /// have looked for messages too early to see it: a client that waits for our
    /// answer to that may not answer us.
    fn settle(self, inner: &Inner, pass: &Pass, remote: Option<Arc<dyn Remote>>) {
        let Some(remote) = remote else {
            return;
        };
        let state = inner.read();
        let same = state
            .remote
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, &remote));
        drop(state);
        if !same || pass.is_ended() || self.0.iter().any(|entry| entry.gate.is_closed()) {
            remote.abandon(None);
        }
    }
}
