// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half: what a guest reads and writes.

use super::MsixPort;
use super::config::{ConfigError, MsixConfig};
use super::layout::{
    CAPABILITY_BYTES, ENABLE, ENTRY_BYTES, FUNCTION_MASK, PBA_WORD_VECTORS, WRITABLE_BYTE,
};
use crate::guest::access;
use crate::guest::entries::Entries;
use crate::message::{Message, RequesterId};
use crate::sink::MessageSink;
use crate::store::layout::MASK;

/// The MSI-X of one virtual device, as its guest programs it.
///
/// Offsets are those within the capability, the table and the pending-bit array;
/// the transport knows where in config space and in which BAR they are. Accesses
/// may have any size and alignment, straddle entries and the end: what lies
/// outside reads as zero, and writes there are ignored.
///
/// # Concurrency
/// Reads are `&self`, writes `&mut self`; raisers go on meanwhile
/// ([`MsixPort`]). A write that unmasks sends what was pending before it returns,
/// so what is said there of the sink's grace holds for it too. The sink is called
/// inside these methods, and must not call them.
#[derive(Debug)]
pub struct Msix<K> {
    config: MsixConfig,
    /// [`ENABLE`] and [`FUNCTION_MASK`], as the guest wrote them.
    pub(super) control: u16,
    pub(super) port: MsixPort<K>,
}

/// One vector as a transport needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorView {
    /// The guest's message.
    pub message: Message,
    /// Its own mask is set.
    pub masked: bool,
    /// A raise is sent: neither vector nor function is masked, and MSI-X enabled.
    pub sends: bool,
}

impl<K: MessageSink> Msix<K> {
    /// MSI-X in reset state. The guest's messages go to `sink`, sent by
    /// `requester`: give the guest's own way (its remap unit, a call that injects),
    /// never the host's.
    ///
    /// Takes 64 bytes a vector at once; nothing is allocated later, except by
    /// [`Msix::save`].
    ///
    /// # Errors
    /// The configuration cannot be shown in a capability.
    pub fn new(config: MsixConfig, requester: RequesterId, sink: K) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            control: 0,
            port: MsixPort::new(Entries::at_once(config.vectors.into()), requester, sink),
        })
    }

    /// The data half.
    pub fn port(&self) -> MsixPort<K> {
        self.port.clone()
    }

    /// What it was made with.
    pub fn config(&self) -> &MsixConfig {
        &self.config
    }

    /// Whether the guest has enabled MSI-X. While it has not, raises are kept: a
    /// device that uses INTx meanwhile must not raise here.
    pub fn enabled(&self) -> bool {
        self.control & ENABLE != 0
    }

    /// Whether the guest has masked the whole function.
    pub fn function_masked(&self) -> bool {
        self.control & FUNCTION_MASK != 0
    }

    /// How `vector` stands; `None` if there is no such vector.
    pub fn vector(&self, vector: u16) -> Option<VectorView> {
        let contents = self.port.entry(vector)?.contents();
        Some(VectorView {
            message: contents.message,
            masked: contents.control & MASK != 0,
            sends: contents.sends(),
        })
    }

    /// The capability as it stands. Its next pointer is zero: the transport has
    /// the list.
    pub fn capability(&self) -> [u8; CAPABILITY_BYTES] {
        self.config.capability(self.message_control())
    }

    pub(super) fn message_control(&self) -> u16 {
        self.control | self.config.table_size()
    }

    /// Reads the capability from byte `offset` of it.
    pub fn read_config(&self, offset: u16, into: &mut [u8]) {
        let capability = self.capability();
        let from = capability.get(usize::from(offset)..).unwrap_or_default();
        let from = from.iter().copied().chain(core::iter::repeat(0));
        for (into, byte) in into.iter_mut().zip(from) {
            *into = byte;
        }
    }

    /// Writes the capability from byte `offset` of it: only enable and function
    /// mask can be written. What is pending and no longer held back is sent.
    pub fn write_config(&mut self, offset: u16, from: &[u8]) {
        let byte = WRITABLE_BYTE
            .checked_sub(usize::from(offset))
            .and_then(|at| from.get(at));
        if let Some(byte) = byte {
            self.set_control(u16::from_le_bytes([0, *byte]));
        }
    }

    pub(super) fn set_control(&mut self, control: u16) {
        let was_open = self.is_open();
        self.control = control & (ENABLE | FUNCTION_MASK);
        if was_open == self.is_open() {
            return;
        }
        for entry in self.port.entries().made_at_once() {
            if was_open {
                entry.freeze();
            } else if entry.thaw() {
                let _ = self.port.deliver(entry);
            }
        }
    }

    fn is_open(&self) -> bool {
        self.enabled() && !self.function_masked()
    }

    /// Reads the table from byte `offset` of it. Each aligned 64-bit word is read
    /// at once.
    pub fn read_table(&self, offset: u64, into: &mut [u8]) {
        access::read(offset, into, |number| {
            let vector = u16::try_from(number / WORDS).ok()?;
            let [address, control] = self.port.entry(vector)?.guest_words();
            Some(if number % WORDS == 0 {
                address
            } else {
                control
            })
        });
    }

    /// Writes the table from byte `offset` of it, in order of 64-bit words; what
    /// lies in one takes effect as a whole. A vector that is unmasked so is sent
    /// if it was pending, with the message as this write leaves it.
    pub fn write_table(&mut self, offset: u64, from: &[u8]) {
        let words = u64::from(self.config.vectors) * WORDS;
        access::write(offset, from, words, |number, lanes| {
            let vector = u16::try_from(number / WORDS).ok();
            let Some(entry) = vector.and_then(|vector| self.port.entry(vector)) else {
                return;
            };
            if number % WORDS == 0 {
                entry.write_address(lanes);
            } else if entry.write_control(lanes) {
                let _ = self.port.deliver(entry);
            }
        });
    }

    /// Reads the pending-bit array from byte `offset` of it; each bit as it is at
    /// this moment. It cannot be written: a transport ignores such writes.
    pub fn read_pba(&self, offset: u64, into: &mut [u8]) {
        access::read(offset, into, |number| self.pending_word(number));
    }

    /// Word `number` of the pending-bit array.
    pub(super) fn pending_word(&self, number: u64) -> Option<u64> {
        let per_word = usize::from(PBA_WORD_VECTORS);
        let number = usize::try_from(number).ok()?;
        let vectors = self
            .port
            .entries()
            .made_at_once()
            .chunks(per_word)
            .nth(number)?;
        let bits = (0u32..).zip(vectors);
        Some(bits.fold(0, |word, (bit, entry)| {
            word | u64::from(entry.is_pending()) << bit
        }))
    }

    /// Reset state: disabled, the function not masked, every vector masked with
    /// message zero, nothing pending. What was pending is dropped, and counted so.
    pub fn reset(&mut self) {
        self.control = 0;
        for entry in self.port.entries().made_at_once() {
            if entry.replace(Message::default(), true) {
                entry.record.count_dropped();
            }
        }
    }
}

/// 64-bit words in a table entry.
const WORDS: u64 = ENTRY_BYTES / 8;
