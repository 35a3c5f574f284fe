// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that is being served, of either kind.

use std::path::PathBuf;
use std::sync::Arc;

use ims_dsa::adi::{AdiConfig, Parent, VirtualDevice};
use ims_dsa::front::Parameters;
use ims_dsa::physical::{PhysicalConfig, PhysicalFunction};
use ims_vfio::{Device, Endpoint, Hold};
use ims_vfio_user::DeviceId;

use super::counted;
use super::error::ServeError;
use crate::control::Name;
use crate::control::message::{DeviceStatistics, Kind, Summary};

/// A device that is being served.
pub(super) struct Served {
    pub(super) name: Name,
    pub(super) socket: PathBuf,
    pub(super) id: DeviceId,
    pub(super) function: Function,
}

/// What it is.
#[derive(Clone)]
pub(super) enum Function {
    /// One of those that share the parent.
    Virtual(Arc<VirtualDevice>),
    /// One that a client owns.
    Physical(Arc<PhysicalFunction>, u16),
}

impl Function {
    /// Composes a virtual device.
    pub(super) fn composed(
        name: &Name,
        parent: &Parent,
        config: AdiConfig,
    ) -> Result<Self, ServeError> {
        let device = parent.compose(config);
        device
            .map(Self::Virtual)
            .map_err(|error| ServeError::Compose {
                name: name.clone(),
                error,
            })
    }

    /// Makes a physical function.
    pub(super) fn physical(name: &Name, parameters: &Parameters) -> Result<Self, ServeError> {
        let config = PhysicalConfig {
            parameters: parameters.clone(),
            ..PhysicalConfig::default()
        };
        match PhysicalFunction::new(config) {
            Ok(function) => Ok(Self::Physical(function, parameters.vectors)),
            Err(error) => Err(ServeError::Physical {
                name: name.clone(),
                error,
            }),
        }
    }

    /// What the server serves.
    pub(super) fn device(&self) -> Arc<dyn Device> {
        match self {
            Self::Virtual(device) => Arc::clone(device) as Arc<dyn Device>,
            Self::Physical(function, _) => Arc::clone(function) as Arc<dyn Device>,
        }
    }

    /// Whether it was composed, and can be destroyed while others are served.
    pub(super) fn is_composed(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Waits for what it has taken; `hold` is dropped when that has ended.
    pub(super) fn drain(&self, hold: Hold) {
        match self {
            Self::Virtual(device) => device.drain(hold),
            Self::Physical(function, _) => function.drain(hold),
        }
    }

    /// Ends it, with nobody attached; `hold` is dropped when nothing of it is
    /// executed.
    pub(super) fn end(&self, hold: Hold) {
        match self {
            Self::Virtual(device) => device.destroy(hold),
            Self::Physical(..) => Endpoint::new(self.device()).reset(hold),
        }
    }

    /// Takes back its interrupt handles; says how many.
    pub(super) fn revoke_handles(&self) -> u32 {
        match self {
            Self::Virtual(device) => device.revoke_handles(),
            Self::Physical(function, _) => function.revoke_handles(),
        }
    }
}

impl Served {
    /// It in a line.
    pub(super) fn summary(&self) -> Summary {
        match &self.function {
            Function::Virtual(device) => {
                let report = device.report();
                self.line(counted::state(report.state), Some(report.pasid.get()))
            }
            Function::Physical(function, _) => {
                let state = function.report().front.device.into();
                self.line(counted::state(state), None)
            }
        }
    }

    /// What it counted.
    pub(super) fn statistics(&self) -> DeviceStatistics {
        match &self.function {
            Function::Virtual(device) => {
                let report = device.report();
                DeviceStatistics {
                    device: self.line(counted::state(report.state), Some(report.pasid.get())),
                    errors: report.errors,
                    queues: vec![counted::interface_queue(&report.queue)],
                    interrupts: report
                        .vectors
                        .iter()
                        .map(counted::interface_vector)
                        .collect(),
                }
            }
            Function::Physical(function, _) => {
                let report = function.report();
                let queues = (0..).zip(&report.front.queues);
                DeviceStatistics {
                    device: self.line(counted::state(report.front.device.into()), None),
                    errors: report.front.errors,
                    queues: queues
                        .filter(|(_, queue)| counted::was_used(queue))
                        .map(|(number, queue)| counted::function_queue(number, queue))
                        .collect(),
                    interrupts: report
                        .vectors
                        .iter()
                        .map(counted::function_vector)
                        .collect(),
                }
            }
        }
    }

    fn line(&self, state: &str, pasid: Option<u32>) -> Summary {
        let (kind, vectors) = match &self.function {
            Function::Virtual(device) => (Kind::Virtual, device.config().vectors),
            Function::Physical(_, vectors) => (Kind::Physical, *vectors),
        };
        let maps = self.function.device().function().dma.maps();
        Summary {
            name: self.name.clone(),
            kind,
            socket: self.socket.display().to_string(),
            state: state.to_owned(),
            maps: u64::try_from(maps).unwrap_or(u64::MAX),
            vectors: vectors.into(),
            pasid,
        }
    }
}
