// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half: registers and commands.

use std::ops::Range;

use ims::guest::Store;
use ims::guest::layout::{MASK, PENDING, SLOT_BYTES};
use ims::message::{Message, RequesterId};
use ims::sink::MessageSink;

use super::port::MsiPort;
use super::{MAX_VECTORS, Offer, OfferError};
use crate::interrupts::{Messages, Mode, Ways};
use crate::layout::NO_VECTOR;
use crate::layout::msi::{self, Command};
use crate::line::Line;
use crate::notifier::Event;

/// What the driver said of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Vector {
    pub(super) configured: bool,
    pub(super) masked: bool,
}

/// MSI of one device.
///
/// # Concurrency
/// One thread at a time; events go on meanwhile.
#[derive(Debug)]
pub(crate) struct Control<K> {
    pub(super) offer: Offer,
    /// Always enabled: whether events come is the way's to say. A slot is masked
    /// while its vector is, or has no message.
    pub(super) store: Store<K>,
    pub(super) port: MsiPort<K>,
    pub(super) vectors: Vec<Vector>,
    pub(super) selected: u32,
    pub(super) message: Message,
}

impl<K: MessageSink + Send + Sync> Control<K> {
    /// As after a reset. Messages go to `sink`, sent by `requester`.
    ///
    /// # Errors
    /// [`OfferError`].
    pub(crate) fn new(
        offer: Offer,
        queues: u16,
        requester: RequesterId,
        sink: K,
    ) -> Result<Self, OfferError> {
        let vectors = offer.vectors;
        let least = if offer.sharing {
            2
        } else {
            u32::from(queues).saturating_add(1)
        };
        let error = OfferError::Vectors { vectors, least };
        if vectors < least || vectors > MAX_VECTORS {
            return Err(error);
        }
        let store = Store::new(vectors, requester, sink).map_err(|_| error)?;
        let mut control = Self {
            port: MsiPort::new(store.port(), queues),
            vectors: vec![Vector::default(); usize::try_from(vectors).map_err(|_| error)?],
            selected: 0,
            message: Message::default(),
            offer,
            store,
        };
        control.reset();
        Ok(control)
    }

    /// The data half.
    pub(crate) fn port(&self) -> MsiPort<K> {
        self.port.clone()
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Reads a register; `None` if it is none of MSI's.
    pub(crate) fn read(&self, offset: u64, mode: Mode) -> Option<u32> {
        let layout = &self.offer.layout;
        let bit = |set, bit| if set { bit } else { 0 };
        match offset {
            _ if offset == layout.vectors => Some(self.offer.vectors),
            _ if offset == layout.state => Some(
                bit(mode == Mode::Msi, layout.enabled) | bit(self.offer.sharing, layout.sharing),
            ),
            _ => self.is_written(offset).then_some(0),
        }
    }

    fn is_written(&self, offset: u64) -> bool {
        offset == self.offer.layout.command
            || matches!(
                offset,
                msi::VECTOR_SEL | msi::ADDRESS_LOW | msi::ADDRESS_HIGH | msi::DATA
            )
    }

    /// Writes one of the registers that take numbers; `false` if it is none.
    pub(crate) fn write(&mut self, offset: u64, value: u32) -> bool {
        let address = &mut self.message.address;
        let low = u64::from(u32::MAX);
        match offset {
            msi::VECTOR_SEL => {
                if value < self.offer.vectors || value == NO_VECTOR {
                    self.selected = value;
                }
            }
            msi::ADDRESS_LOW => *address = *address & !low | u64::from(value),
            msi::ADDRESS_HIGH => *address = *address & low | u64::from(value) << 32,
            msi::DATA => self.message.data = value,
            _ => return false,
        }
        true
    }

    /// Does what `MsiCmd` was written. `queue` is what the registers of queues mean;
    /// `queues` are all there are.
    pub(crate) fn command<B: Messages, L: Line>(
        &mut self,
        value: u32,
        queue: Option<u16>,
        ways: &Ways<Option<MsiPort<K>>, B, L>,
        queues: Range<u16>,
    ) {
        match Command::from_value(value) {
            Some(Command::Enable) if ways.mode() == Mode::Line => {
                self.forget_kept();
                ways.take(Mode::Msi, queues);
            }
            Some(Command::Disable) if ways.mode() == Mode::Msi => {
                ways.fall_back(0);
                ways.post(self.port.kept());
                self.forget_kept();
            }
            Some(Command::Enable | Command::Disable) | None => {}
            Some(Command::Configure) => self.configure(),
            Some(Command::Mask) => self.set_masked(true),
            Some(Command::Unmask) => self.set_masked(false),
            Some(Command::MapConfig) => self.map(Event::Config),
            Some(Command::MapQueue) => {
                if let Some(queue) = queue {
                    self.map(Event::Used(queue));
                }
            }
        }
    }

    fn vector(&mut self) -> Option<&mut Vector> {
        self.vectors.get_mut(usize::try_from(self.selected).ok()?)
    }

    fn configure(&mut self) {
        let Some(vector) = self.vector() else { return };
        vector.configured = true;
        let masked = vector.masked;
        // Held back while it is changed, so that it is sent as it was or as it is.
        self.write_mask(true);
        let slot = self.slot();
        self.store.write(slot, &self.message.address.to_le_bytes());
        let mask = if masked { MASK } else { 0 };
        let control = u64::from(mask) << 32 | u64::from(self.message.data);
        self.store
            .write(slot.saturating_add(8), &control.to_le_bytes());
    }

    fn set_masked(&mut self, masked: bool) {
        let Some(vector) = self.vector() else { return };
        vector.masked = masked;
        let held = masked || !vector.configured;
        self.write_mask(held);
    }

    /// Where the selected vector's slot is.
    fn slot(&self) -> u64 {
        u64::from(self.selected).saturating_mul(SLOT_BYTES.into())
    }

    fn write_mask(&mut self, mask: bool) {
        let control = if mask { MASK } else { 0 };
        let at = self.slot().saturating_add(12);
        self.store.write(at, &control.to_le_bytes());
    }

    fn map(&mut self, event: Event) {
        if self.offer.sharing {
            self.port.map(event, self.selected);
        }
    }

    /// Drops what vectors keep: it has been told, or will be, by another way.
    fn forget_kept(&mut self) {
        let kept = (0..self.offer.vectors).any(|vector| self.port.port.is_pending(vector));
        if !kept {
            return;
        }
        let mut state = self.store.save();
        for slot in &mut state.programmed {
            slot.control &= !PENDING;
        }
        // Of the same store, so that it fits.
        let _ = self.store.restore(&state);
    }

    /// As at first. The way is not MSI any more when this is called.
    pub(crate) fn reset(&mut self) {
        self.store.reset();
        self.store.set_enabled(true);
        self.vectors.fill(Vector::default());
        (self.selected, self.message) = (0, Message::default());
        self.map_first();
    }

    /// The map as it is after a reset.
    fn map_first(&self) {
        let places = self.port.mapped().len();
        for place in 0..u32::try_from(places).unwrap_or(u32::MAX) {
            let event = match place.checked_sub(1).map(u16::try_from) {
                None => Event::Config,
                Some(Ok(queue)) => Event::Used(queue),
                Some(Err(_)) => return,
            };
            let vector = if self.offer.sharing { NO_VECTOR } else { place };
            self.port.map(event, vector);
        }
    }

    /// Gives the map of a saved state, the configuration's vector first.
    pub(super) fn set_map(&self, map: &[u32]) {
        if let Some((&config, queues)) = map.split_first() {
            self.port.map(Event::Config, config);
            for (queue, &vector) in (0u16..=u16::MAX).zip(queues) {
                self.port.map(Event::Used(queue), vector);
            }
        }
    }
}
