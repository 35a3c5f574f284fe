// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One piece of a device's work, and what it touches.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::error::DmaError;
use super::gate::Pass;
use super::map::{Access, Entry};
use super::message::Gather;
use super::piece::{Piece, Pieces, Pin, find};
use super::pinned::Pinned;
use super::remote::Remote;
use super::window::Window;
use super::{Inner, State};

/// One piece of a device's work.
///
/// Keep it as long as the work takes, and no longer: a reset, bus mastering going
/// off and the loss of the client are answered when all sessions are dropped. It
/// remembers the map it used last, so accesses near each other need no search.
///
/// # Concurrency
/// It may move to another thread; for work by several at a time, each begins its
/// own. A session must not be dropped under a lock that whoever waits for its
/// [`Hold`](crate::Hold) takes when told.
///
/// # What a failing access has done
/// All maps in the range are found and checked before the first byte is copied: on
/// [`Unmapped`](DmaError::Unmapped), [`Denied`](DmaError::Denied),
/// [`Wraps`](DmaError::Wraps), [`Ended`](DmaError::Ended),
/// [`WouldBlock`](DmaError::WouldBlock) and [`NoClient`](DmaError::NoClient) nothing
/// was. On [`Lost`](DmaError::Lost) and [`Remote`](DmaError::Remote) any part was.
///
/// An access of length 0 does nothing, at any address.
pub struct Session {
    inner: Arc<Inner>,
    pass: Pass,
    cache: RefCell<Option<Arc<Entry>>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("ended", &self.pass.is_ended())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(inner: Arc<Inner>, pass: Pass) -> Self {
        Self {
            inner,
            pass,
            cache: RefCell::new(None),
        }
    }

    /// Whether the device was stopped since it began; all accesses fail then.
    pub fn is_ended(&self) -> bool {
        self.pass.is_ended()
    }

    /// Being inside, to be kept by what goes on without the session.
    pub(super) fn pass(&self) -> &Pass {
        &self.pass
    }

    /// Whom messages go to.
    pub(super) fn remote(&self) -> Result<Arc<dyn Remote>, DmaError> {
        let state = self.inner.read();
        if self.pass.is_ended() {
            return Err(DmaError::Ended);
        }
        state.remote.clone().ok_or(DmaError::NoClient)
    }

    /// A pin of the map that was used last, if it is there yet and holds `address`.
    fn cached(&self, address: u64) -> Option<Pin> {
        if self.pass.is_ended() {
            return None;
        }
        let cache = self.cache.borrow();
        let entry = cache.as_ref().filter(|entry| entry.holds(address))?;
        Pin::new(entry)
    }

    /// A pin of the map that holds `address`.
    fn pin(&self, address: u64, wanted: Access) -> Result<Pin, DmaError> {
        let pin = match self.cached(address) {
            Some(pin) => pin,
            None => {
                // A map on its way out is not kept for nothing.
                self.cache.replace(None);
                let state = self.inner.read();
                let pin = find(&state, &self.pass, address)?;
                drop(state);
                self.cache.replace(Some(Arc::clone(pin.shared())));
                pin
            }
        };
        pin.entry().check(address, wanted)?;
        Ok(pin)
    }

    /// Pins all maps in the range, or none.
    fn plan(&self, address: u64, length: usize, wanted: Access) -> Result<Pieces, DmaError> {
        let mut pieces = Pieces::default();
        let Some(above) = length.checked_sub(1) else {
            return Ok(pieces);
        };
        u64::try_from(above)
            .ok()
            .and_then(|above| address.checked_add(above))
            .ok_or(DmaError::Wraps)?;
        let pin = self.pin(address, wanted)?;
        let run = pin.entry().run(address, length);
        let one = !pin.entry().by_message() && run == length;
        pieces.push(Piece {
            pin,
            address,
            at: 0,
            length: run,
        });
        if one {
            return Ok(pieces);
        }
        let state = self.inner.read();
        let rest = self.plan_rest(&state, &mut pieces, address, length, wanted);
        // Before any pin is given back: that may call who waits for it.
        drop(state);
        rest?;
        Ok(pieces)
    }

    fn plan_rest(
        &self,
        state: &State,
        pieces: &mut Pieces,
        address: u64,
        length: usize,
        wanted: Access,
    ) -> Result<(), DmaError> {
        let mut at = pieces.iter().map(|piece| piece.length).sum();
        while at < length {
            let here = u64::try_from(at)
                .ok()
                .and_then(|at| address.checked_add(at))
                .ok_or(DmaError::Wraps)?;
            let pin = find(state, &self.pass, here)?;
            pin.entry().check(here, wanted)?;
            let run = pin.entry().run(here, length.saturating_sub(at));
            pieces.push(Piece {
                pin,
                address: here,
                at,
                length: run,
            });
            at = at.saturating_add(run);
        }
        if pieces.iter().any(Piece::by_message) {
            if self.pass.is_ended() {
                return Err(DmaError::Ended);
            }
            pieces.remote = Some(state.remote.clone().ok_or(DmaError::NoClient)?);
        }
        Ok(())
    }

    /// Reads `data.len()` bytes at `address`, waiting for messages.
    ///
    /// # Errors
    /// [`DmaError`]; `data` may hold part of it then.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let pieces = self.plan(address, data.len(), Access::READ)?;
        let Some(remote) = &pieces.remote else {
            return pieces.iter().try_for_each(|piece| piece.copy_out(data));
        };
        if !remote.may_wait() {
            return Err(DmaError::WouldBlock);
        }
        let bytes = Gather::read_and_wait(&self.inner, &self.pass, pieces, data.len())?;
        data.copy_from_slice(bytes.get(..data.len()).ok_or(DmaError::TooLong)?);
        Ok(())
    }

    /// Writes `data` at `address`, waiting for messages: when it returns, the bytes
    /// are there, whoever looks.
    ///
    /// # Errors
    /// [`DmaError`]; what was written is said at [`Session`].
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        let pieces = self.plan(address, data.len(), Access::WRITE)?;
        let Some(remote) = &pieces.remote else {
            return pieces.iter().try_for_each(|piece| piece.copy_in(data));
        };
        if !remote.may_wait() {
            return Err(DmaError::WouldBlock);
        }
        Gather::write_and_wait(&self.inner, &self.pass, pieces, data)
    }

    /// Reads `length` bytes at `address` and calls `then` with them: before this
    /// returns if no message is needed, else on the thread that receives answers.
    ///
    /// `then` is called exactly once, and counts as part of this session until it
    /// has returned, even if the session is dropped. It must not block.
    pub fn read_then(
        &self,
        address: u64,
        length: usize,
        then: impl FnOnce(Result<&[u8], DmaError>) + Send + 'static,
    ) {
        match self.plan(address, length, Access::READ) {
            Ok(pieces) => Gather::read(&self.inner, &self.pass, pieces, length, Box::new(then)),
            Err(error) => then(Err(error)),
        }
    }

    /// Writes `data` at `address` and calls `then` when it is there: before this
    /// returns if no message is needed, else on the thread that receives answers.
    ///
    /// `then` is called exactly once, and counts as part of this session until it
    /// has returned, even if the session is dropped. It must not block.
    pub fn write_then(
        &self,
        address: u64,
        data: &[u8],
        then: impl FnOnce(Result<(), DmaError>) + Send + 'static,
    ) {
        match self.plan(address, data.len(), Access::WRITE) {
            Ok(pieces) => {
                let then = Box::new(move |done: Result<&[u8], DmaError>| then(done.map(|_| ())));
                Gather::write(&self.inner, &self.pass, pieces, data, then);
            }
            Err(error) => then(Err(error)),
        }
    }

    /// Writes `data` at `address` without being told that it is there. Nothing may
    /// be announced that depends on it, but by a message behind it.
    ///
    /// # Errors
    /// [`DmaError`]; [`DmaError::Remote`] if a message could not be sent.
    pub fn post(&self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        let pieces = self.plan(address, data.len(), Access::WRITE)?;
        for piece in pieces.iter() {
            match &pieces.remote {
                Some(remote) if piece.by_message() => remote
                    .post(piece.address, piece.part(data))
                    .map_err(DmaError::Remote)?,
                _ => piece.copy_in(data)?,
            }
        }
        Ok(())
    }

    /// The longest contiguous piece of memory that begins at `address`: at most
    /// `length` bytes, and at least one if `length` is not 0. Its map is not given
    /// back while the window is there.
    ///
    /// # Errors
    /// [`DmaError`] if not even the first byte may be accessed, or only by message.
    pub fn window(
        &self,
        address: u64,
        length: usize,
        wanted: Access,
    ) -> Result<Window<'_>, DmaError> {
        let pin = self.pin(address, wanted)?;
        let length = pin.entry().run(address, length);
        Window::new(self, pin, address, length)
    }

    /// Keeps every map that is used from now on until the session ends, so that
    /// what is lent needs no guard of its own.
    pub fn pinned(self) -> Pinned {
        Pinned::new(self.inner, self.pass)
    }
}
