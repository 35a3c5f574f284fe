// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half of a store whose slots its guest programs.

use super::access;
use super::entries::Entries;
use super::layout::{MASK, MAX_SLOTS, PENDING, SLOT_BYTES};
use super::port::Port;
use crate::message::{Message, RequesterId};
use crate::sink::MessageSink;

/// 64-bit words in a slot.
const WORDS: u64 = SLOT_BYTES as u64 / 8;
/// What a guest sees of a slot's second word: data, mask, pending.
const SEEN: u64 = u32::MAX as u64 | ((MASK | PENDING) as u64) << 32;

/// The message store of one virtual device, as its guest programs it: an array of
/// slots ([`super::layout`]), without the 2048 of MSI-X.
///
/// The transport knows in which BAR the slots are, and what register enables the
/// store. Accesses may have any size and alignment, straddle slots and the end:
/// what lies outside reads as zero, and writes there are ignored.
///
/// An array of pointers, one for 64 slots, is allocated at once; 4 KiB for 64
/// slots when the first of them is written, or raised.
///
/// # Concurrency
/// Reads are `&self`, writes `&mut self`; raisers go on meanwhile ([`Port`]). A
/// write that unmasks sends what was pending before it returns, so what is said
/// there of the sink's grace holds for it too. The sink is called inside these
/// methods, and must not call them.
#[derive(Debug)]
pub struct Store<K> {
    enabled: bool,
    pub(super) port: Port<K>,
}

/// One slot as a transport needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotView {
    /// The guest's message.
    pub message: Message,
    /// Its mask is set.
    pub masked: bool,
    /// An interrupt is owed.
    pub pending: bool,
    /// A raise is sent: the slot is not masked, and the store enabled.
    pub sends: bool,
}

/// Why there can be no such store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Too many slots, or none.
    #[error("a store of {asked} slots; use 1 to {MAX_SLOTS}")]
    Slots {
        /// How many were asked for.
        asked: u32,
    },
}

impl<K: MessageSink> Store<K> {
    /// A store in reset state: disabled, every slot masked. The guest's messages
    /// go to `sink`, sent by `requester`: give the guest's own way (its remap
    /// unit), never the host's.
    ///
    /// # Errors
    /// [`StoreError::Slots`].
    pub fn new(slots: u32, requester: RequesterId, sink: K) -> Result<Self, StoreError> {
        if slots == 0 || slots > MAX_SLOTS {
            return Err(StoreError::Slots { asked: slots });
        }
        Ok(Self {
            enabled: false,
            port: Port::new(Entries::as_touched(slots), requester, sink),
        })
    }

    /// The data half.
    pub fn port(&self) -> Port<K> {
        self.port.clone()
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.port.count()
    }

    /// Bytes that the slots take in a BAR.
    pub fn bytes(&self) -> u64 {
        u64::from(self.slots()).saturating_mul(SLOT_BYTES.into())
    }

    /// Whether slots send. While the store is disabled, raises are kept.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// How a slot stands; `None` if there is none.
    pub fn slot(&self, slot: u32) -> Option<SlotView> {
        let Some(entry) = self.port.entry(slot) else {
            let untouched = SlotView {
                message: Message::default(),
                masked: true,
                pending: false,
                sends: false,
            };
            return (slot < self.slots()).then_some(untouched);
        };
        let contents = entry.contents();
        Some(SlotView {
            message: contents.message,
            masked: contents.control & MASK != 0,
            pending: contents.control & PENDING != 0,
            sends: contents.sends(),
        })
    }

    /// Has slots send, or not. What is pending and no longer held back is sent
    /// before this returns. It takes time for each slot that was ever touched.
    pub fn set_enabled(&mut self, enabled: bool) {
        if enabled == self.enabled {
            return;
        }
        self.enabled = enabled;
        for (_, entry) in self.port.entries().touched() {
            if !enabled {
                entry.freeze();
            } else if entry.thaw() {
                let _ = self.port.deliver(entry);
            }
        }
    }

    /// Reads slots from byte `offset` of the first. Each aligned 64-bit word is
    /// read at once.
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        access::read(offset, into, |number| {
            let slot = u32::try_from(number / WORDS).ok()?;
            if slot >= self.slots() {
                return None;
            }
            let [address, control] =
                self.port
                    .entry(slot)
                    .map_or([0, u64::from(MASK) << 32], |entry| {
                        let (address, control) = entry.contents().to_words();
                        [address, control & SEEN]
                    });
            Some(if number % WORDS == 0 {
                address
            } else {
                control
            })
        });
    }

    /// Writes slots from byte `offset` of the first, in order of 64-bit words;
    /// what lies in one takes effect as a whole. A slot that is unmasked so is
    /// sent if it was pending, with the message as this write leaves it.
    pub fn write(&mut self, offset: u64, from: &[u8]) {
        let words = u64::from(self.slots()).saturating_mul(WORDS);
        access::write(offset, from, words, |number, lanes| {
            let slot = u32::try_from(number / WORDS).ok();
            let Some(entry) = slot.and_then(|slot| self.port.entries().touch(slot)) else {
                return;
            };
            if self.enabled && entry.is_frozen() {
                // Made since the store was enabled: masked, so there is nothing
                // to deliver.
                let _ = entry.thaw();
            }
            if number % WORDS == 0 {
                entry.write_address(lanes);
            } else if entry.write_control(lanes) {
                let _ = self.port.deliver(entry);
            }
        });
    }

    /// Reset state. What was pending is dropped, and counted so.
    pub fn reset(&mut self) {
        self.enabled = false;
        for (_, entry) in self.port.entries().touched() {
            if entry.replace(Message::default(), true) {
                entry.record.count_dropped();
            }
        }
    }
}
