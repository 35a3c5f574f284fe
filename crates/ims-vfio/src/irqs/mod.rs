// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupts of one virtual device.
//!
//! ```text
//!    client: SET_IRQS ──▶ Irqs::set             (control: one lock a device)
//!                           │ trigger (eventfd) of each vector
//!    device: trigger(msi, 3) ──▶ cell ──────────▶ eventfd      software raises
//!            intx(true) ───────▶ pin, masks itself ▶ eventfd
//!            port.raise(index) ─▶ slot, remap, soft CPU ─▶ signal ─▶ eventfd   IMS
//! ```
//!
//! # Kinds of MSI-X vectors
//! A device with a [`Backing`] has [`Kind::Backed`] vectors unless they are
//! declared otherwise: the first trigger allocates an interrupt of the host, with
//! the vector's cookie or the device's; taking the trigger away frees it. What
//! software raises where it intercepts the guest is [`Kind::Emulated`]. Without a
//! backing every vector is [`Kind::Plain`]. MSI, INTx, ERR and REQ are always
//! raised by software.
//!
//! # Replacing a trigger
//! A live trigger is replaced by one swap: slot, index and handle stay. (The IMS
//! library freed and allocated anew, and the index could change; but a client
//! sends a new eventfd at every unmask and change of affinity, and a driver's
//! descriptors hold the handle.) Only −1, disabling and reset free. Every raise
//! goes to the old eventfd before [`Irqs::set`] returns, or to the new one; none
//! to neither, and none to the old one after `set` has returned.
//!
//! For that, `set` waits for raisers that have found the old eventfd: one write
//! each, which does not block. It waits 20 ms at most. A client shares the open
//! file, so it can make a full eventfd blocking again, and hold a raiser in its
//! write until it reads; that holds the thread which raises, and no other. (So a
//! thread that others need raises by [`Irqs::trigger_unheld`]. A
//! raiser that gets no CPU for so long looks the same.) Then `set` signals the new
//! eventfd, if there is one, in the raiser's stead, and returns; the raiser's own
//! signal may still reach the old one. From then on, until [`Irqs::reset`], no
//! `set` of that device waits: where a raiser is inside, the new eventfd gets that
//! signal at once. [`Irqs::has_stuck_raiser`] tells; a server may well end the
//! session of such a client.
//!
//! # Which rules
//! [`Irqs::set`] follows `vfio-pci`: one of INTx, MSI and MSI-X is enabled at a
//! time, by its first request with triggers (all −1 will do), and by nothing
//! else. Where the IMS library differs, MSI-X of a device with a backing follows
//! the library, which has nothing to enable:
//!
//! | MSI-X, TRIGGER, not enabled | `vfio-pci` | with a backing |
//! |---|---|---|
//! | NONE, count 0 (disable) | `EINVAL` | 0 |
//! | NONE or BOOL (loopback) | `EINVAL` | 0, and no vector has a trigger |
//! | EVENTFD, start 0, count 0 | `EINVAL` | 0 |
//!
//! The library knew MSI-X only; beside INTx or MSI, `EINVAL` until that is
//! disabled, as everywhere. A second descriptor to unmask the pin takes the place
//! of the first, where the kernel says `EBUSY`: a client that closed its end
//! cannot be seen over a socket.
//!
//! # Saving
//! [`Irqs::save`] and [`Irqs::restore`]: triggers do not travel. After a restore
//! a vector that was triggered keeps what is raised until its trigger comes.

mod backed;
mod backing;
mod cell;
mod error;
mod host;
mod lines;
#[cfg(all(test, loom))]
mod models;
mod patience;
mod pin;
mod report;
mod request;
mod set;
mod state;
mod trigger;
mod vectors;
mod wire;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::layout::irq;
use backed::BackedVectors;
use cell::{Bank, Cell};
use patience::Patience;
use pin::Pin;
use request::Request;

pub use backed::Handle;
pub use backing::{Backed, Backing, BackingError, Signal};
pub use cell::{Kind, Signalled};
pub use error::{LinesError, SetError, StateError, TriggerError, VectorError};
pub use host::HostBacking;
pub use lines::{IrqInfo, Lines, MSI_LIMIT, MSIX_LIMIT};
pub use report::{BackedReport, SlotReport};
pub use request::{Payload, SetIrqs};
pub use state::{IrqsState, PinState, VectorState};

/// Which of INTx, MSI and MSI-X is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Active {
    #[default]
    Idle,
    Intx,
    /// MSI, with a number of vectors that does not grow.
    Msi {
        enabled: u32,
    },
    Msix,
}

impl Active {
    /// MSI or MSI-X, enabled with `enabled` vectors.
    fn vectors(index: u32, enabled: u32) -> Self {
        if index == irq::MSI {
            Self::Msi { enabled }
        } else {
            Self::Msix
        }
    }

    fn index(self) -> Option<u32> {
        match self {
            Self::Idle => None,
            Self::Intx => Some(irq::INTX),
            Self::Msi { .. } => Some(irq::MSI),
            Self::Msix => Some(irq::MSIX),
        }
    }
}

/// What the lock protects.
#[derive(Default)]
struct Control {
    active: Active,
    /// Whose signal unmasks the pin.
    unmask: Option<Arc<OwnedFd>>,
    /// `None` without a backing.
    backed: Option<BackedVectors>,
}

impl Control {
    /// Refuses if an index other than `index` is enabled.
    fn exclude_others(&self, index: u32) -> Result<(), SetError> {
        match self.active.index() {
            Some(active) if active != index => Err(SetError::OtherActive { index, active }),
            _ => Ok(()),
        }
    }
}

/// All there is of one device.
#[derive(Default)]
struct Inner {
    lines: Lines,
    /// What an MSI-X vector is that was not declared.
    has_backing: bool,
    generation: Arc<AtomicU64>,
    patience: Arc<Patience>,
    control: Mutex<Control>,
    pin: Pin,
    msi: Bank,
    msix: Bank,
    err: Cell,
    req: Cell,
}

impl Inner {
    fn bank(&self, index: u32) -> Option<&Bank> {
        match index {
            irq::MSI => Some(&self.msi),
            irq::MSIX => Some(&self.msix),
            _ => None,
        }
    }

    /// What MSI-X vector `vector` is.
    fn kind_of(&self, vector: u32) -> Kind {
        let declared = self.msix.get(vector).and_then(|cell| cell.kind());
        declared.unwrap_or(if self.has_backing {
            Kind::Backed
        } else {
            Kind::Plain
        })
    }
}

/// The interrupts of one virtual device. A clone is the same.
///
/// # Concurrency
/// Everything may be called on any thread. [`Irqs::trigger`] and [`Irqs::intx`]
/// take no lock and do not block; the rest takes the device's own lock, and waits
/// for the host behind IMS-backed vectors, and for raisers at most 20 ms in all
/// (see [the module](self#replacing-a-trigger)).
///
/// A client that makes its eventfd blocking again and fills it holds a raiser in
/// [`Irqs::trigger`], [`Irqs::intx`] or [`Signal::give`]. What is signalled under
/// the lock looks first whether the eventfd is full, and makes it non-blocking
/// again; a client that fills it and takes that back within those few system calls
/// can hold the lock.
#[derive(Clone, Default)]
pub struct Irqs {
    inner: Arc<Inner>,
}

impl fmt::Debug for Irqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Irqs")
            .field("lines", &self.inner.lines)
            .field("backed", &self.inner.has_backing)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl Irqs {
    /// The interrupts `lines` of a device whose MSI-X vectors are backed by
    /// `backing`, or are plain eventfds.
    ///
    /// # Errors
    /// [`LinesError`].
    pub fn new(lines: Lines, backing: Option<Arc<dyn Backing>>) -> Result<Self, LinesError> {
        lines.check()?;
        let generation = Arc::new(AtomicU64::new(0));
        let has_backing = backing.is_some();
        let patience = Arc::new(Patience::default());
        let backed = backing.map(|backing| {
            BackedVectors::new(backing, Arc::clone(&generation), Arc::clone(&patience))
        });
        let control = Control {
            backed,
            ..Control::default()
        };
        Ok(Self {
            inner: Arc::new(Inner {
                lines,
                has_backing,
                generation,
                patience,
                control: Mutex::new(control),
                msi: Bank::new(lines.msi),
                msix: Bank::new(lines.msix),
                ..Inner::default()
            }),
        })
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // Each step leaves the vectors it has come to as they should be.
        let control = &self.inner.control;
        control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind_of(&self, vector: u32) -> Kind {
        self.inner.kind_of(vector)
    }

    /// What index `index` is; `None` if there is no such index.
    pub fn info(&self, index: u32) -> Option<IrqInfo> {
        self.inner.lines.info(index)
    }

    /// Does what a client asks (`VFIO_DEVICE_SET_IRQS`), by the rules of
    /// [the module](self). A request with triggers that fails leaves vectors from
    /// its first to the one that failed without triggers, and everything else as
    /// it was.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn set(&self, header: SetIrqs, payload: Payload<'_>) -> Result<(), SetError> {
        let lines = self.inner.lines;
        let request = Request::new(header, payload, |index| lines.count(index))?;
        self.inner.carry_out(&mut self.control(), request)
    }

    /// Drops all triggers and frees what stands behind them: the client is gone.
    ///
    /// Cookies, and what vectors were declared as, stay. So does the level of the
    /// pin, which is the device's to change.
    pub fn reset(&self) {
        let mut control = self.control();
        self.inner.disable(&mut control);
        let patience = &self.inner.patience;
        self.inner.err.clear(patience);
        self.inner.req.clear(patience);
        patience.renew();
    }

    /// Whether a raiser was still inside an eventfd 20 ms after that was replaced or
    /// taken away, since the last [`Irqs::reset`]. Almost always that is a client
    /// which holds it there.
    pub fn has_stuck_raiser(&self) -> bool {
        self.inner.patience.is_lost()
    }

    /// Disables INTx, MSI and MSI-X, as a reset of the function does. ERR and REQ
    /// tell the client, not its guest, and stay.
    pub fn reset_function(&self) {
        self.inner.disable(&mut self.control());
    }

    /// Raises an MSI, an MSI-X vector that is not IMS-backed, ERR or REQ.
    ///
    /// # Errors
    /// [`TriggerError`]; nothing was signalled and nothing is kept.
    pub fn trigger(&self, index: u32, subindex: u32) -> Result<Signalled, TriggerError> {
        self.trigger_by(index, subindex, Cell::raise)
    }

    /// The same, on a thread that others need too: a server's, or an engine's that
    /// several clients share. A client that fills its eventfd and makes it blocking
    /// again does not hold that thread. It costs two more system calls.
    ///
    /// # Errors
    /// As [`Irqs::trigger`].
    pub fn trigger_unheld(&self, index: u32, subindex: u32) -> Result<Signalled, TriggerError> {
        self.trigger_by(index, subindex, Cell::raise_unheld)
    }

    fn trigger_by(
        &self,
        index: u32,
        subindex: u32,
        raise: fn(&Cell) -> Option<Signalled>,
    ) -> Result<Signalled, TriggerError> {
        if subindex >= self.inner.lines.count(index) {
            return Err(TriggerError::NoSuchVector);
        }
        let cell = match index {
            irq::INTX => return Err(TriggerError::Pin),
            irq::ERR => Some(&self.inner.err),
            irq::REQ => Some(&self.inner.req),
            _ => self.inner.bank(index).and_then(|bank| bank.get(subindex)),
        };
        match cell.and_then(raise) {
            Some(signalled) => Ok(signalled),
            None if index == irq::MSIX && self.kind_of(subindex) == Kind::Backed => {
                Err(TriggerError::Backed)
            }
            None => Err(TriggerError::NoTrigger),
        }
    }

    /// Sets the level of the pin. While it is asserted and not masked it is
    /// signalled once, and masked until the client unmasks it.
    pub fn intx(&self, asserted: bool) {
        if self.inner.lines.intx {
            self.inner.pin.set_level(asserted);
        }
    }

    /// The eventfd by which a client unmasks the pin, if it gave one. It does not
    /// block.
    pub fn unmask_eventfd(&self) -> Option<Arc<OwnedFd>> {
        self.control().unmask.clone()
    }

    /// Drains [`Irqs::unmask_eventfd`] and unmasks the pin if it was signalled.
    pub fn unmask_signalled(&self) {
        let control = self.control();
        let Some(fd) = &control.unmask else {
            return;
        };
        if trigger::drain(fd) {
            self.inner.pin.unmask();
        }
    }
}
