// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client's memory, as long as it is there.
//!
//! A transport [maps](Dma::map) and [unmaps](Dma::unmap) ranges; a device reaches
//! them in a [`Session`], which is one piece of its work: a descriptor, a ring's
//! round. Accesses are checked, cross from one map into the next, and go as messages
//! where only the client has the bytes.
//!
//! # Taking memory away
//! Whoever takes something away gives a [`Hold`], which is dropped when nothing can
//! touch it any more:
//!
//! | taken away | by | who is waited for | what the others see |
//! |---|---|---|---|
//! | one map | [`Dma::unmap`] | accesses, windows and messages in this very map | [`DmaError::Unmapped`] |
//! | all maps, with the client | [`Dma::unmap_all`] | all sessions there are | [`DmaError::Ended`] |
//! | bus mastering, by a reset too | [`Dma::block`] | all sessions there are | [`DmaError::Ended`], new ones [`DmaError::Blocked`] |
//!
//! None waits for what begins later, so none can be put off for ever. A session
//! that has ended gets nothing but errors, also when the same addresses are mapped
//! again for somebody else; drop it soon, for the answer waits for that.
//!
//! # Waiting for memory
//! Work that needs a page nobody has mapped yet can [wait](Pinned::wait) for it. It is
//! told off as soon as it would keep somebody from taking memory away.
//!
//! # Order
//! What [`Session::write`] has written is visible when it returns, whether it was a
//! copy or a message that had to be answered. An interrupt raised after it follows
//! its data. After [`Session::write_then`] that holds in its callback.
//!
//! # Cost
//! A map takes about 120 bytes, and finding it is a search in a balanced tree, or
//! nothing if it is the one the session used last; `examples/page_maps.rs` measures
//! all of it for 1 GiB mapped page by page.

mod arrivals;
mod error;
mod gate;
mod guest_memory;
mod interrupt;
mod map;
mod message;
#[cfg(all(test, loom))]
mod models;
mod piece;
mod pinned;
mod remote;
mod session;
#[cfg(all(test, not(loom)))]
mod tests;
mod window;

use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::hold::Hold;
use crate::sync::{Arc as GateArc, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use error::{DmaError, MapError};
pub use map::{Access, Backing, Map};
pub use pinned::Pinned;
pub use remote::{ReadThen, Remote, WriteThen};
pub use session::Session;
pub use window::Window;

use arrivals::Arrivals;
use gate::{Gate, Pass, Told};
use map::{Entry, Maps};

/// The most maps, unless another number is given: 64 GiB by pages of 4 KiB.
pub const MAPS: usize = 1 << 24;

/// The client's memory. A clone is the same.
///
/// It begins without maps, and blocked, as a function begins with bus mastering
/// off.
///
/// # Concurrency
/// All methods on any thread. Those that change maps exclude each other and the
/// search for a map, for the time of one change in the tree; nothing is called, and
/// no memory is touched, under that lock.
#[derive(Clone)]
pub struct Dma {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    state: RwLock<State>,
    limit: usize,
    arrivals: Arrivals,
}

pub(crate) struct State {
    maps: Maps,
    /// How many maps were ever made.
    made: u64,
    allowed: bool,
    /// Where sessions are: a gate for each time between two stops.
    now: GateArc<Gate>,
    /// Those before, as long as a session is in them.
    ended: Vec<GateArc<Gate>>,
    remote: Option<Arc<dyn Remote>>,
}

impl Inner {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends all sessions there are; answers whom their messages went to, if any
    /// session may have sent one. `told` is to be dropped without the lock: who waits
    /// for an earlier stop may be in it.
    fn end(&mut self, hold: &Hold, told: &mut Vec<Told>) -> Option<Arc<dyn Remote>> {
        let now = std::mem::replace(&mut self.now, GateArc::new(Gate::new()));
        self.ended.push(now);
        self.ended.retain(|gate| {
            told.push(gate.close(hold.clone()));
            gate.is_occupied()
        });
        if self.ended.is_empty() {
            None
        } else {
            self.remote.clone()
        }
    }
}

impl Default for Dma {
    fn default() -> Self {
        Self::with_limit(MAPS)
    }
}

impl fmt::Debug for Dma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.read();
        f.debug_struct("Dma")
            .field("maps", &state.maps.len())
            .field("allowed", &state.allowed)
            .field("client", &state.remote.is_some())
            .finish_non_exhaustive()
    }
}

impl Dma {
    /// Memory that takes at most `maps` maps: what bounds the memory a client can
    /// make this process use.
    pub fn with_limit(maps: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: RwLock::new(State {
                    maps: Maps::default(),
                    made: 0,
                    allowed: false,
                    now: GateArc::new(Gate::new()),
                    ended: Vec::new(),
                    remote: None,
                }),
                limit: maps,
                arrivals: Arrivals::default(),
            }),
        }
    }

    /// Adds a map.
    ///
    /// # Errors
    /// [`MapError`]; nothing has changed.
    pub fn map(&self, map: Map) -> Result<(), MapError> {
        let entry = Entry::new(map)?;
        let mut state = self.inner.write();
        if state.maps.len() >= self.inner.limit {
            return Err(MapError::TooMany);
        }
        state.maps.insert(entry)?;
        state.made = state.made.wrapping_add(1);
        drop(state);
        self.inner.arrivals.announce();
        Ok(())
    }

    /// Takes the map away that is exactly this range. Who is still in it keeps a
    /// clone of `hold`; messages that wait for the client are failed.
    ///
    /// # Errors
    /// [`MapError`]; nothing has changed.
    pub fn unmap(&self, address: u64, size: u64, hold: Hold) -> Result<(), MapError> {
        let mut state = self.inner.write();
        let entry = state.maps.remove(address, size)?;
        // `hold` itself stays until messages are abandoned: they may be to this range
        // only as long as nobody has mapped it again.
        let told = entry.gate.close(hold.clone());
        let waits = entry.by_message() && entry.gate.is_occupied();
        let remote = if waits { state.remote.clone() } else { None };
        drop(state);
        self.inner.arrivals.announce();
        if let Some(remote) = remote {
            // The client may not answer messages while it waits for our answer.
            remote.abandon(Some(address..address.saturating_add(size)));
        }
        drop((told, hold));
        Ok(())
    }

    /// Takes all maps away, and ends all sessions; they keep a clone of `hold`.
    pub fn unmap_all(&self, hold: Hold) {
        let mut state = self.inner.write();
        let maps = std::mem::take(&mut state.maps);
        let mut told = Vec::new();
        let remote = state.end(&hold, &mut told);
        drop(state);
        self.inner.arrivals.announce();
        drop(maps);
        if let Some(remote) = remote {
            remote.abandon(None);
        }
        drop((told, hold));
    }

    /// How many maps there are.
    pub fn maps(&self) -> usize {
        self.inner.read().maps.len()
    }

    /// Lets the device in (bus mastering on).
    pub fn allow(&self) {
        self.inner.write().allowed = true;
    }

    /// Lets no new session begin (bus mastering off); those under way keep a clone
    /// of `hold`.
    pub fn block(&self, hold: Hold) {
        let mut state = self.inner.write();
        state.allowed = false;
        let mut told = Vec::new();
        let remote = state.end(&hold, &mut told);
        drop(state);
        self.inner.arrivals.announce();
        if let Some(remote) = remote {
            remote.abandon(None);
        }
        drop((told, hold));
    }

    /// How memory that only the client has is reached, or that there is no client.
    /// What waits for the one before is failed.
    pub fn set_remote(&self, remote: Option<Arc<dyn Remote>>) {
        let before = std::mem::replace(&mut self.inner.write().remote, remote);
        if let Some(before) = before {
            before.abandon(None);
        }
    }

    /// Begins a piece of work.
    ///
    /// # Errors
    /// [`DmaError::Blocked`] while bus mastering is off.
    pub fn session(&self) -> Result<Session, DmaError> {
        let state = self.inner.read();
        if !state.allowed {
            return Err(DmaError::Blocked);
        }
        let pass = Pass::enter(&state.now).ok_or(DmaError::Blocked)?;
        drop(state);
        Ok(Session::new(Arc::clone(&self.inner), pass))
    }
}
