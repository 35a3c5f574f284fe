// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine of real engines, whose interrupts and words are written down.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use ims_vfio::Hold;

use crate::config::DeviceConfig;
use crate::errors::ErrorLog;
use crate::front::Machine;
use crate::layout::command::CommandError;
use crate::testing::{Paged, Recorder};
use crate::{AddressSpace, Device, InterruptTable, Pasid, WorkQueue};

pub(super) struct World {
    pub(super) bus_mastering: AtomicBool,
    /// Miscellaneous interrupts raised so far.
    misc: Mutex<u64>,
    more: Condvar,
    pub(super) memory: Mutex<Option<Arc<Paged>>>,
    device: Mutex<Option<Device<Recorder>>>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) configs: Mutex<Vec<DeviceConfig>>,
    pub(super) words: Mutex<HashMap<u64, u32>>,
    pub(super) resets: AtomicU64,
    pub(super) refuse_start: Mutex<Option<CommandError>>,
    /// Who all queues submit as, if not as WQCFG says.
    pub(super) submitter: AtomicU32,
    /// Called in the middle of a start.
    pub(super) in_start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Whether engines run: if not, queues fill.
    pub(super) engines_run: AtomicBool,
}

impl World {
    pub(super) fn new(memory: Paged) -> Arc<Self> {
        Arc::new(Self {
            bus_mastering: AtomicBool::new(true),
            misc: Mutex::default(),
            more: Condvar::new(),
            memory: Mutex::new(Some(Arc::new(memory))),
            device: Mutex::default(),
            recorder: Arc::default(),
            configs: Mutex::default(),
            words: Mutex::default(),
            resets: AtomicU64::new(0),
            refuse_start: Mutex::default(),
            submitter: AtomicU32::new(0),
            in_start: Mutex::default(),
            engines_run: AtomicBool::new(true),
        })
    }

    pub(super) fn paged(&self) -> Arc<Paged> {
        Arc::clone(self.memory.lock().unwrap().as_ref().unwrap())
    }

    pub(super) fn misc(&self) -> u64 {
        *self.misc.lock().unwrap()
    }

    /// Waits until more than `seen` miscellaneous interrupts were raised.
    pub(super) fn wait_beyond(&self, seen: u64) {
        let misc = self.misc.lock().unwrap();
        drop(self.more.wait_while(misc, |misc| *misc <= seen).unwrap());
    }

    pub(super) fn is_started(&self) -> bool {
        self.device.lock().unwrap().is_some()
    }
}

impl Machine for World {
    fn bus_mastering(&self) -> bool {
        self.bus_mastering.load(Ordering::SeqCst)
    }

    fn raise_misc(&self) {
        *self.misc.lock().unwrap() += 1;
        self.more.notify_all();
    }

    fn memory(&self) -> Option<Arc<dyn AddressSpace>> {
        let memory = self.memory.lock().unwrap().clone()?;
        Some(memory)
    }

    fn start(&self, config: &DeviceConfig, log: Arc<dyn ErrorLog>) -> Result<(), CommandError> {
        if let Some(error) = *self.refuse_start.lock().unwrap() {
            return Err(error);
        }
        if let Some(call) = self.in_start.lock().unwrap().take() {
            call();
        }
        self.configs.lock().unwrap().push(config.clone());
        let mut device = Device::new(config, Arc::clone(&self.recorder), log).unwrap();
        if self.engines_run.load(Ordering::SeqCst) {
            device.start().unwrap();
        }
        let old = self.device.lock().unwrap().replace(device);
        assert!(old.is_none(), "started twice");
        Ok(())
    }

    fn stop(&self, hold: Hold) {
        let device = self.device.lock().unwrap().take();
        if let Some(device) = device {
            let queues = device.queues();
            for queue in (0..128).filter_map(|number| queues.get(number)) {
                queue.disable();
                queue.abort(hold.clone());
            }
            device.retire(hold);
        }
    }

    fn queue(&self, queue: u32) -> Option<WorkQueue> {
        let device = self.device.lock().unwrap();
        device.as_ref()?.queues().get(queue)
    }

    fn submitter(&self, configured: Option<Pasid>) -> Option<Pasid> {
        match self.submitter.load(Ordering::SeqCst) {
            0 => configured,
            number => Pasid::new(number),
        }
    }

    /// Handles are index + 100; there are 4 of the message store and 2 of MSI-X.
    fn request_handle(&self, table: InterruptTable, index: u16) -> Result<u16, CommandError> {
        match table {
            InterruptTable::Ims if index < 4 => Ok(index + 100),
            InterruptTable::Ims => Err(CommandError::InvalidInterrupt),
            InterruptTable::MsiX if index < 2 => Ok(index + 200),
            InterruptTable::MsiX => Err(CommandError::NoHandle),
        }
    }

    fn release_handle(&self, table: InterruptTable, handle: u16) -> Result<(), CommandError> {
        match table {
            InterruptTable::Ims if (100..104).contains(&handle) => Ok(()),
            _ => Err(CommandError::InvalidInterrupt),
        }
    }

    fn read_word(&self, offset: u64) -> u32 {
        assert_eq!(offset % 4, 0);
        *self.words.lock().unwrap().get(&offset).unwrap_or(&0)
    }

    fn write_word(&self, offset: u64, value: u32) {
        assert_eq!(offset % 4, 0);
        self.words.lock().unwrap().insert(offset, value);
    }

    fn reset(&self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
    }
}
