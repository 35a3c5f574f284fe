// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half: registers and commands.

use std::sync::Arc;

use ims::message::RequesterId;
use ims::sink::MessageSink;
use vm_memory::GuestMemory;

use super::area::{Area, Failure, Limits, aligned, field, reachable, set_field};
use super::gates::InMemory;
use super::latch;
use super::port::VisPort;
use super::sender::Sender;
use super::{Offer, OfferError};
use crate::layout::vis::{ALL, Command, Error, MAX_VECTORS, header, register, state};
use crate::memory::Memory;
use crate::notifier::Event;

/// Virtio Interrupt Storage of one device.
///
/// # Concurrency
/// One thread at a time; its port's raisers go on meanwhile. A command waits until
/// raises that are on their way are over, and may send messages: the sink must not
/// wait for whoever writes the register.
#[derive(Debug)]
pub struct Vis<M, K> {
    pub(super) limits: Limits,
    /// What [`register::ADDRESS_LOW`] and the next were written.
    pub(super) address: u64,
    /// While it is enabled.
    pub(super) area: Option<Area>,
    /// What became of the last command.
    pub(super) error: Error,
    /// Gates lost when the last command ended.
    lost: u64,
    pub(super) port: VisPort<M, K>,
}

impl<M: Memory, K: MessageSink> Vis<M, K> {
    /// A store in reset state. Messages go to `sink`, sent by `requester`.
    ///
    /// Memory for all vectors is taken now: 16 bytes each.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn new(
        offer: Offer,
        queues: u16,
        requester: RequesterId,
        memory: M,
        sink: K,
    ) -> Result<Self, OfferError> {
        let vectors = offer.vectors;
        if vectors == 0 || vectors > MAX_VECTORS {
            return Err(OfferError::Vectors { vectors });
        }
        let gates = InMemory::new(memory);
        let sender = Arc::new(Sender::new(vectors, queues, requester, gates, sink));
        Ok(Self {
            limits: Limits { vectors, queues },
            address: 0,
            area: None,
            error: Error::None,
            lost: 0,
            port: VisPort { sender },
        })
    }

    /// The data half.
    pub fn port(&self) -> VisPort<M, K> {
        self.port.clone()
    }

    /// Whether interrupts are messages.
    pub fn enabled(&self) -> bool {
        self.area.is_some()
    }

    /// Reads a register by its offset; `None` if it is none of this store's.
    pub fn read(&self, register: u64) -> Option<u32> {
        match register {
            register::VECTORS => Some(self.limits.vectors),
            register::STATE => Some(self.state()),
            register::ADDRESS_LOW | register::ADDRESS_HIGH | register::COMMAND => Some(0),
            _ => None,
        }
    }

    fn state(&self) -> u32 {
        let enabled = if self.enabled() { state::ENABLED } else { 0 };
        enabled | (self.state_error() as u32) << state::ERROR_SHIFT
    }

    /// What went wrong last: in a command, or with a gate since.
    pub(super) fn state_error(&self) -> Error {
        match self.error {
            Error::None if self.port.sender.lost() != self.lost => Error::Lost,
            error => error,
        }
    }

    /// Writes one; `false` if it is none of this store's. A command is done when this
    /// returns.
    pub fn write(&mut self, register: u64, value: u32) -> bool {
        match register {
            register::ADDRESS_LOW => {
                self.address = self.address & !u64::from(u32::MAX) | u64::from(value);
            }
            register::ADDRESS_HIGH => {
                self.address = self.address & u64::from(u32::MAX) | u64::from(value) << 32;
            }
            register::COMMAND => self.command(value),
            register::VECTORS | register::STATE => {}
            _ => return false,
        }
        true
    }

    /// Back to reset state. The area is not touched; no message is on its way when
    /// this returns.
    pub fn reset(&mut self) {
        self.port.sender.close();
        self.area = None;
        self.address = 0;
        self.settle(Error::None);
    }

    pub(super) fn settle(&mut self, error: Error) {
        self.error = error;
        self.lost = self.port.sender.lost();
    }

    fn command(&mut self, value: u32) {
        let command = Command::from_value(value);
        if let Some((Command::Resend, vector)) = command {
            self.resend(vector);
            return;
        }
        let session = self.port.sender.gates.memory().enter();
        // Where the driver is told: in its area, or in the one that is to be it.
        let told = match (&self.area, command) {
            (Some(area), _) => Some(area.address),
            (None, Some((Command::Enable, _))) => Some(self.address),
            (None, _) => None,
        };
        let place = told
            .zip(session.as_deref())
            .filter(|(at, session)| aligned(*at) && reachable(*session, *at, header::BYTES));
        // Read before anything is done: the driver writes the next one only when it
        // has been told of this.
        let ask =
            place.and_then(|(at, session)| field(session, at.saturating_add(header::ASK)).ok());
        let lost = self.port.sender.lost();
        let done = self.run(command, session.as_deref());
        let mut failure = done.err().unwrap_or(Error::None.into());
        if failure.error == Error::None && self.port.sender.lost() != lost && self.enabled() {
            failure.error = Error::Lost;
        }
        self.settle(failure.error);
        if failure.error != Error::None {
            tracing::debug!(?command, ?failure, "a command of interrupt storage failed");
        }
        if let Some((place, ask)) = place.zip(ask) {
            // Memory that goes now is told of by the state register alone.
            let _ = answer(place, ask, failure);
        }
    }

    fn run(
        &mut self,
        command: Option<(Command, u32)>,
        session: Option<&M::Session>,
    ) -> Result<(), Failure> {
        let (command, argument) = command.ok_or(Error::Command)?;
        if command == Command::Disable {
            self.area = None;
            self.port.sender.close();
            return Ok(());
        }
        let reach = || session.ok_or(Error::Area);
        match (command, self.area) {
            (Command::Enable, None) => self.enable(reach()?),
            (Command::Update, Some(area)) if argument == ALL => {
                self.update(reach()?, &area, 0, area.header.vectors)
            }
            (Command::Update, Some(area)) => self.update(reach()?, &area, argument, 1),
            (Command::UpdateRange, Some(area)) => {
                let session = reach()?;
                let first = field(session, area.at(header::FIRST))?;
                let count = field(session, area.at(header::COUNT))?;
                self.update(session, &area, first, count)
            }
            (Command::Map, Some(area)) => self.map(reach()?, &area, argument),
            _ => Err(Error::Command.into()),
        }
    }

    fn enable(&mut self, session: &M::Session) -> Result<(), Failure> {
        let area = Area::read(session, self.address, self.limits)?;
        let messages = latch::messages(session, &area, 0..area.header.vectors)?;
        let map = latch::map(session, &area, 0..area.header.queues)?;
        let config = latch::config(session, &area)?;
        self.start(area, &messages, &map, config);
        Ok(())
    }

    /// Enables with what has been checked.
    pub(super) fn start(
        &mut self,
        area: Area,
        messages: &[ims::message::Message],
        map: &[u32],
        config: u32,
    ) {
        let sender = &self.port.sender;
        sender.gates.place(area.gates(), area.header.gate_shift);
        for (queue, vector) in (0u16..=u16::MAX).zip(map) {
            sender.table.map(Event::Used(queue), *vector);
        }
        sender.table.map(Event::Config, config);
        self.area = Some(area);
        sender.open(messages);
    }

    fn update(
        &self,
        session: &M::Session,
        area: &Area,
        first: u32,
        count: u32,
    ) -> Result<(), Failure> {
        let vectors = area.header.vectors;
        let end = first.checked_add(count).filter(|end| *end <= vectors);
        let Some(end) = end else {
            let error = Error::Index;
            let index = first.max(vectors);
            return Err(Failure { error, index });
        };
        let messages = latch::messages(session, area, first..end)?;
        self.port.sender.latch(first, &messages);
        Ok(())
    }

    fn map(&self, session: &M::Session, area: &Area, argument: u32) -> Result<(), Failure> {
        let queues = area.header.queues;
        let (range, config) = if argument == ALL {
            (0..queues, Some(latch::config(session, area)?))
        } else if argument < queues {
            (argument..argument.saturating_add(1), None)
        } else {
            let (error, index) = (Error::Index, argument);
            return Err(Failure { error, index });
        };
        let map = latch::map(session, area, range.clone())?;
        let sender = &self.port.sender;
        for (queue, vector) in range.zip(map) {
            if let Ok(queue) = u16::try_from(queue) {
                sender.table.map(Event::Used(queue), vector);
            }
        }
        if let Some(vector) = config {
            sender.table.map(Event::Config, vector);
        }
        sender.wait();
        Ok(())
    }

    fn resend(&self, vector: u32) {
        if self.area.is_some_and(|area| vector < area.header.vectors) {
            self.port.sender.take(vector);
        }
    }
}

/// Tells what became of the command `ask`. The number comes last: who sees it sees
/// the rest.
fn answer<S: GuestMemory>(
    (at, session): (u64, &S),
    ask: u32,
    failure: Failure,
) -> Result<(), Error> {
    let at = |offset: u64| at.saturating_add(offset);
    set_field(session, at(header::ERROR), failure.error as u32)?;
    set_field(session, at(header::ERROR_INDEX), failure.index)?;
    set_field(session, at(header::DONE), ask)
}
