// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a device keeps its interrupt messages, laid out as the device wants it.
//!
//! ```text
//!    control half   Store: prepare · program · mask · unmask · clear · sync · release
//!                       │ table: at once        │ engines: in every copy
//!                       │ context memory: recorded, effective at sync
//!                       ▼
//!    data half      Slots: the device's view of slot `index`, as engine `engine` has it
//! ```
//!
//! Three organisations, one trait:
//! - [`table`]: slots side by side in device memory, its own or laid over a region
//!   a guest can also see;
//! - [`engines`]: slots distributed over the device's engines, or a copy in each;
//! - [`context`]: slots in the images of contexts in host memory, which the device
//!   fetches and caches when it needs them.
//!
//! One store may serve a whole device, or each interface may have its own. Slots
//! belong to the owner of their domain: what a guest writes for its own vectors
//! never comes here.

pub mod context;
pub mod cookie;
pub mod engines;
pub mod layout;
pub mod slot;
pub mod table;

#[cfg(all(test, not(loom)))]
mod tests;

use alloc::vec::Vec;

use crate::grace::Grace;
use crate::message::Message;

pub use cookie::{Cookie, CookieUse, Pasid};
pub use slot::{Contents, Hold, SlotRef};

/// The data half of a store: finds slots, for any thread at any time.
pub trait Slots: Clone + Send + Sync + 'static {
    /// Slot `index` in the memory where its pending bit lives, in the copy that
    /// `engine` has. `None` if there is no such slot or engine.
    fn slot(&self, index: u32, engine: u32) -> Option<SlotRef<'_>>;

    /// What the device believes slot `index` to hold: the slot itself, or a copy
    /// it has cached. Good until the end of the flight it is called in.
    #[inline]
    fn fetch(&self, index: u32, engine: u32) -> Option<Contents> {
        self.slot(index, engine).map(|slot| slot.load())
    }

    /// How many engines have a copy of each slot.
    fn copies(&self) -> u32 {
        1
    }
}

/// Slots whose mask takes effect when it is written, so that the data half may
/// mask and unmask by itself.
pub trait Direct: Slots {}

/// The control half of a store: gives slots their contents.
///
/// An index goes prepare → program, mask, unmask → clear → release, and again.
/// Nothing is promised to be effective before [`Store::sync`] returns. The caller
/// sees to it that a slot is quiet where a method asks for it: masked or cleared,
/// and no raiser that saw it otherwise still on its way.
pub trait Store: Send + 'static {
    /// The data half.
    type Slots: Slots;

    /// The data half of this store.
    fn slots(&self) -> Self::Slots;

    /// One more than the highest index there can be.
    fn limit(&self) -> u32;

    /// Makes slot `index` a masked one of its own, for an interrupt with `cookie`.
    ///
    /// # Errors
    /// The store cannot hold the index, or cannot read the cookie; nothing changed.
    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError>;

    /// Writes the message of a quiet slot.
    fn program(&mut self, index: u32, message: Message);

    /// Masks the slot.
    fn mask(&mut self, index: u32);

    /// Unmasks the slot; if a raise was kept, notes it in `effects`.
    fn unmask(&mut self, index: u32, effects: &mut Effects);

    /// Keeps the slot from sending, whatever its mask says, for a rewrite.
    fn freeze(&mut self, index: u32);

    /// Ends a rewrite; if a raise was kept and the slot sends, notes it in
    /// `effects`.
    fn thaw(&mut self, index: u32, effects: &mut Effects);

    /// Takes the slot from its owner; notes a raise that was kept as dropped.
    fn clear(&mut self, index: u32, effects: &mut Effects);

    /// Makes everything since the last sync effective before it returns.
    ///
    /// # Errors
    /// Nothing since the last sync has become effective; it is still recorded,
    /// and either tried again by the next sync or given up by [`Store::revert`].
    fn sync(&mut self, _grace: &Grace, _effects: &mut Effects) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives up what was recorded since the last sync. Nothing where every
    /// change is effective at once.
    fn revert(&mut self) {}

    /// Wipes a cleared, quiet slot before its index is given to anyone else.
    fn release(&mut self, index: u32);
}

/// What came of control operations, for the domain to act on.
#[derive(Debug, Default)]
pub struct Effects {
    /// Slots that were unmasked with a raise kept: deliver it, once.
    pub replay: Vec<u32>,
    /// Kept raises that were merged with another copy's.
    pub merged: Vec<u32>,
    /// Slots that were cleared with a raise kept: it is dropped.
    pub dropped: Vec<u32>,
}

/// Why a store refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such slot and never will be.
    #[error("slot {index} does not exist; the store has {limit}")]
    OutOfRange {
        /// The index asked for.
        index: u32,
        /// How many slots the store can have.
        limit: u32,
    },
    /// The cookie should be a PASID.
    #[error("cookie {cookie:#x} is not a PASID; give a number of at most 20 bits")]
    NotAPasid {
        /// The cookie given.
        cookie: u64,
    },
    /// The region is too small, or not aligned, for the slots laid over it.
    #[error(
        "{slots} slots at byte {offset} do not fit a region of {bytes} bytes; use a multiple of 8 and a larger region"
    )]
    Region {
        /// Where the first slot should be.
        offset: u64,
        /// How many slots there should be.
        slots: u32,
        /// Bytes in the region.
        bytes: u64,
    },
    /// The device did not carry out a command that a sync needs.
    #[error(
        "the device did not carry out a context command; nothing changed, sync again or revert"
    )]
    Command,
}
