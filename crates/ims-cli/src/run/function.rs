// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A physical function: one DSA device with its remap unit and its interrupt
//! message store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::Store;
use ims_dsa::{
    Device as Dsa, DeviceConfig, ErrorLog, Mode, QueueConfig, SoftwareError, StoreInterrupts,
    WorkQueues,
};
use ims_host::{Device, Domain, Host, HostSink, Unit};

use super::error::{RunError, host};
use super::stamp::{Stamped, Stamps};

/// Shared work queues of a function, as Intel's device has.
const WORK_QUEUES: u32 = 8;
/// Descriptors each of them holds.
const QUEUE_SIZE: u16 = 1024;
/// Fault records of a remap unit.
const FAULT_RECORDS: u16 = 256;

/// The device side of one function.
type Interrupts<S> = Stamped<
    StoreInterrupts<
        <S as Store>::Slots,
        <S as Store>::Slots,
        HostSink,
        Box<dyn Fn() -> ims::grace::Raiser + Send + Sync>,
    >,
>;

/// One physical function.
pub(super) struct Function<S: Store> {
    pub(super) requester: RequesterId,
    pub(super) unit: Unit,
    pub(super) domain: Domain<S>,
    pub(super) queues: WorkQueues,
    pub(super) stamps: Arc<Stamps>,
    pub(super) errors: Arc<Refused>,
    dsa: Dsa<Interrupts<S>>,
    /// Frees whatever is left of the domain; goes last.
    _device: Device,
}

/// The device's error log: how often a submitter named an interrupt that is not
/// its own (status 0x19), and other errors.
#[derive(Default)]
pub(super) struct Refused {
    pub(super) reports: AtomicU64,
}

impl ErrorLog for Refused {
    fn report(&self, _error: SoftwareError) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }
}

impl<S: Store> Function<S> {
    /// Function `number`, with `slots` interrupts in `store` and `engines`
    /// engines, started.
    pub(super) fn start(
        on: &Host,
        number: u16,
        slots: u32,
        engines: u32,
        store: S,
    ) -> Result<Self, RunError> {
        // Bus 1 upwards, function 0 of each device.
        let requester = RequesterId(0x0100 + number * 8);
        let unit = on
            .add_unit(slots, FAULT_RECORDS)
            .map_err(host("adding a remap unit"))?;
        let device = on.add_device(requester);
        let domain = device
            .add_domain(Kind::Ims, slots, &unit, store)
            .map_err(host("adding the device's IMS domain"))?;
        let stamps = Arc::new(Stamps::new(slots));
        let errors = Arc::new(Refused::default());
        let raising = on.clone();
        let raisers: Box<dyn Fn() -> ims::grace::Raiser + Send + Sync> =
            Box::new(move || raising.raiser());
        let interrupts = StoreInterrupts::new(domain.port().clone(), None, raisers);
        let interrupts = Arc::new(Stamped::new(interrupts, Arc::clone(&stamps)));
        let queue = QueueConfig {
            mode: Mode::Shared,
            size: QUEUE_SIZE,
            threshold: QUEUE_SIZE,
            ..QueueConfig::default()
        };
        let config = DeviceConfig {
            engines: (0..engines).map(|_| Some(0)).collect(),
            queues: (0..WORK_QUEUES).map(|_| queue).collect(),
            ..DeviceConfig::default()
        };
        let mut dsa = Dsa::new(
            &config,
            interrupts,
            Arc::clone(&errors) as Arc<dyn ErrorLog>,
        )?;
        dsa.start()?;
        for queue in 0..WORK_QUEUES {
            dsa.enable(queue)?;
        }
        let queues = dsa.queues();
        Ok(Self {
            requester,
            unit,
            domain,
            queues,
            stamps,
            errors,
            dsa,
            _device: device,
        })
    }

    /// The work queue that serves queue `queue` of interface `adi`.
    pub(super) fn work_queue(adi: u32, queue: u32) -> u32 {
        (adi + queue) % WORK_QUEUES
    }

    /// What the device did.
    pub(super) fn statistics(&self) -> ims_dsa::Statistics {
        self.dsa.statistics()
    }
}
