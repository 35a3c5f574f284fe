// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request to set interrupts, as it comes and as it is understood.

use std::os::fd::OwnedFd;

use super::error::SetError;
use crate::layout::{irq, irq_set};

/// A request to set interrupts (`struct vfio_irq_set` without its data).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetIrqs {
    /// Bytes of structure and data. Descriptors that came beside the structure,
    /// as over a socket, need not be counted.
    pub argsz: u32,
    /// Of [`layout::irq_set`](crate::layout::irq_set).
    pub flags: u32,
    /// Which kind.
    pub index: u32,
    /// The first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// The data of a request.
#[derive(Debug)]
pub enum Payload<'a> {
    /// None.
    None,
    /// A byte for each interrupt.
    Bools(&'a [u8]),
    /// A trigger for each interrupt; `None` takes one away (−1). As many as the
    /// request counts.
    Triggers(Vec<Option<OwnedFd>>),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Mask,
    Unmask,
    Trigger,
}

/// What it is to be done with.
#[derive(Debug)]
pub(super) enum Data<'a> {
    None,
    Bools(&'a [u8]),
    Triggers(Vec<Option<OwnedFd>>),
}

impl Data<'_> {
    /// Whether loopback or a mask is meant for the interrupt at `at`.
    pub(super) fn selects(&self, at: u32) -> bool {
        match self {
            Self::None => true,
            Self::Bools(bytes) => usize::try_from(at)
                .ok()
                .and_then(|at| bytes.get(at))
                .is_some_and(|&byte| byte != 0),
            Self::Triggers(_) => false,
        }
    }

    /// The first trigger of a request for one interrupt.
    pub(super) fn into_one(self) -> Option<OwnedFd> {
        match self {
            Self::Triggers(triggers) => triggers.into_iter().next().flatten(),
            Self::None | Self::Bools(_) => None,
        }
    }
}

/// A request that can be carried out as far as its form goes: its range lies
/// within the index, and its data is all there.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) action: Action,
    pub(super) index: u32,
    pub(super) start: u32,
    pub(super) count: u32,
    pub(super) data: Data<'a>,
}

impl<'a> Request<'a> {
    /// Validates, as `vfio_set_irqs_validate_and_prepare` does, and then takes
    /// the action apart, as `vfio_pci_set_irqs_ioctl` does. `lines` says how many
    /// interrupts an index has.
    pub(super) fn new(
        header: SetIrqs,
        payload: Payload<'a>,
        lines: impl Fn(u32) -> u32,
    ) -> Result<Self, SetError> {
        let SetIrqs {
            argsz,
            flags,
            index,
            start,
            count,
        } = header;
        if argsz < irq_set::HEADER {
            return Err(SetError::Malformed("shorter than its header"));
        }
        if index >= irq::COUNT {
            return Err(SetError::Malformed("no such interrupt index"));
        }
        if count >= u32::MAX - start {
            return Err(SetError::Malformed("the range overflows"));
        }
        if flags & !(irq_set::DATA_TYPES | irq_set::ACTIONS) != 0 {
            return Err(SetError::Malformed("unknown flags"));
        }
        let lines = lines(index);
        if start >= lines || start + count > lines {
            return Err(SetError::Malformed("the index has no such interrupts"));
        }
        let data = data(argsz - irq_set::HEADER, flags, count, payload)?;
        let action = match flags & irq_set::ACTIONS {
            irq_set::ACTION_MASK => Action::Mask,
            irq_set::ACTION_UNMASK => Action::Unmask,
            irq_set::ACTION_TRIGGER => Action::Trigger,
            _ => return Err(SetError::NoHandler { index }),
        };
        Ok(Self {
            action,
            index,
            start,
            count,
            data,
        })
    }

    /// Whether it disables the whole index.
    pub(super) fn disables(&self) -> bool {
        self.count == 0 && matches!(self.data, Data::None)
    }
}

/// The data of a request with `room` bytes after its header.
fn data(room: u32, flags: u32, count: u32, payload: Payload<'_>) -> Result<Data<'_>, SetError> {
    match (flags & irq_set::DATA_TYPES, payload) {
        (irq_set::DATA_NONE, Payload::None) => Ok(Data::None),
        (irq_set::DATA_BOOL, Payload::Bools(bytes)) => {
            let wanted = usize::try_from(count).unwrap_or(usize::MAX);
            if room < count || bytes.len() < wanted {
                return Err(SetError::Malformed("fewer bytes than interrupts"));
            }
            Ok(Data::Bools(bytes))
        }
        (irq_set::DATA_EVENTFD, Payload::Triggers(triggers)) => {
            // No room at all means that they came beside the structure.
            let bytes = u64::from(count) * size_of::<i32>() as u64;
            if room != 0 && u64::from(room) < bytes {
                return Err(SetError::Malformed("fewer bytes than descriptors"));
            }
            if u32::try_from(triggers.len()) != Ok(count) {
                return Err(SetError::Malformed("not a descriptor for each interrupt"));
            }
            Ok(Data::Triggers(triggers))
        }
        (irq_set::DATA_NONE | irq_set::DATA_BOOL | irq_set::DATA_EVENTFD, _) => {
            Err(SetError::Malformed("the data is not of the type it says"))
        }
        _ => Err(SetError::Malformed("not exactly one type of data")),
    }
}
