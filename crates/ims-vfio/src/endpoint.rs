// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device as its transport drives it.

use std::fmt;
use std::sync::Arc;

use crate::device::{Device, Function};
use crate::dma::Remote;
use crate::hold::Hold;
use crate::layout::{device_info, irq, region};
use crate::region::{AccessError, IoFd, Region};

/// What a client is told of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Of [`device_info`].
    pub flags: u32,
    /// How many region indexes there are.
    pub regions: u32,
    /// How many interrupt indexes there are.
    pub irqs: u32,
}

/// What a write has left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a stop that is asked for must be made"]
pub enum Written {
    /// Nothing.
    Done,
    /// Something must stop before the write may be acknowledged: give it to
    /// [`Endpoint::stop`].
    Stops(Stop),
}

/// What must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Memory accesses: bus mastering went off.
    Dma,
    /// Everything: the function is reset.
    Function,
}

/// A device as its transport drives it: one for each device, whoever the client is.
#[derive(Clone)]
pub struct Endpoint {
    device: Arc<dyn Device>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("function", self.function())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint for `device`.
    pub fn new(device: Arc<dyn Device>) -> Self {
        Self { device }
    }

    /// The device's config space, interrupts and memory.
    pub fn function(&self) -> &Function {
        self.device.function()
    }

    /// What a client is told first.
    pub fn info(&self) -> DeviceInfo {
        DeviceInfo {
            flags: device_info::RESET | device_info::PCI,
            regions: region::COUNT,
            irqs: irq::COUNT,
        }
    }

    /// Region `index`, `None` if there is no such index.
    pub fn region(&self, index: u32) -> Option<Region> {
        if index >= region::COUNT {
            return None;
        }
        let size = self.size(index);
        Some(Region {
            size,
            readable: size > 0,
            writable: size > 0,
            shared: if size > 0 && index < region::BARS {
                self.device.shared(index)
            } else {
                None
            },
        })
    }

    /// Descriptors for writes that need not ask the device.
    pub fn io_fds(&self, index: u32) -> Vec<IoFd> {
        if self.size(index) == 0 {
            return Vec::new();
        }
        self.device.io_fds(index)
    }

    fn size(&self, index: u32) -> u64 {
        let config = &self.function().config;
        match index {
            bar if bar < region::BARS => config.bar_size(bar),
            region::CONFIG => config.size(),
            _ => 0,
        }
    }

    fn check(&self, index: u32, offset: u64, length: usize) -> Result<(), AccessError> {
        let end = u64::try_from(length)
            .ok()
            .and_then(|length| offset.checked_add(length));
        if end.is_some_and(|end| end <= self.size(index)) {
            Ok(())
        } else {
            Err(AccessError::Outside)
        }
    }

    /// Reads from region `index`.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn read(&self, index: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        self.check(index, offset, data.len())?;
        if index == region::CONFIG {
            self.function().config.read(offset, data);
            let window = self.function().config.window(offset, data.len());
            return match window {
                Some(window) => {
                    let data = data.get_mut(..window.length).unwrap_or_default();
                    self.device.read(window.bar, window.offset, data)
                }
                None => Ok(()),
            };
        }
        self.device.read(index, offset, data)
    }

    /// Writes to region `index`.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn write(&self, index: u32, offset: u64, data: &[u8]) -> Result<Written, AccessError> {
        self.check(index, offset, data.len())?;
        if index != region::CONFIG {
            self.device.write(index, offset, data)?;
            return Ok(Written::Done);
        }
        if let Some(window) = self.function().config.window(offset, data.len()) {
            let data = data.get(..window.length).unwrap_or_default();
            self.device.write(window.bar, window.offset, data)?;
        }
        let effects = self.function().config.write(offset, data);
        if effects.function_reset {
            return Ok(Written::Stops(Stop::Function));
        }
        if let Some(control) = effects.msix {
            self.device.msix(control);
        }
        Ok(match effects.bus_master {
            Some(true) => {
                self.function().dma.allow();
                self.device.bus_master(true);
                Written::Done
            }
            Some(false) => Written::Stops(Stop::Dma),
            None => Written::Done,
        })
    }

    /// Stops what a write asked to be stopped; who may go on for a while keeps
    /// `hold`.
    pub fn stop(&self, stop: Stop, hold: Hold) {
        match stop {
            Stop::Dma => {
                self.function().dma.block(hold);
                self.device.bus_master(false);
            }
            Stop::Function => self.reset(hold),
        }
    }

    /// Resets the function: config space, interrupts, device. Maps stay; bus
    /// mastering is off.
    pub fn reset(&self, hold: Hold) {
        let function = self.function();
        function.config.reset();
        // First, so that nothing the device still does is seen.
        function.dma.block(hold.clone());
        function.irqs.reset_function();
        self.device.reset(hold);
    }

    /// A client has come; memory that only it has is reached by `remote`.
    pub fn attach(&self, remote: Arc<dyn Remote>) {
        self.function().dma.set_remote(Some(remote));
    }

    /// The client is gone: its maps, its triggers and its work go with it. The
    /// device keeps its registers, for the next client.
    pub fn detach(&self, hold: Hold) {
        let function = self.function();
        function.dma.set_remote(None);
        function.dma.unmap_all(hold.clone());
        function.irqs.reset();
        self.device.client_gone(hold);
    }
}
