// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device as the function that the command line asks for.

use std::error::Error;
use std::sync::Arc;

use ims_vfio::dma::Dma;
use ims_virtio::vfio::{MmioFunction, MmioFunctionOptions, PciFunction, PciOptions};
use ims_virtio::{Device, MmioOptions, msi, vis};

use crate::Served;
use crate::arguments::{Arguments, Transport};
use crate::reporting::Reporting;

/// `device` behind the transport that was asked for.
pub(crate) fn of<D: Device<Dma>>(
    arguments: &Arguments,
    device: D,
) -> Result<Served, Box<dyn Error>> {
    let device = Arc::new(device);
    if arguments.transport == Transport::Pci {
        let mut options = PciOptions::default();
        options.vectors = arguments.vectors;
        let function = PciFunction::new(device, options)?;
        return Ok(Arc::new(Reporting::new(function)));
    }
    let events = device.queues().len().saturating_add(1);
    let options = MmioFunctionOptions {
        mmio: mmio(arguments, u32::try_from(events)?),
        ..MmioFunctionOptions::default()
    };
    let function = MmioFunction::new(device, options)?;
    Ok(Arc::new(Reporting::new(function)))
}

/// What virtio-mmio offers to a device with so many events.
fn mmio(arguments: &Arguments, events: u32) -> MmioOptions {
    let vectors = arguments.vectors.map_or(events, u32::from);
    MmioOptions {
        msi: (arguments.transport == Transport::Msi).then(|| msi::Offer {
            layout: arguments.layout.into(),
            vectors,
            sharing: arguments.sharing || vectors < events,
            notification: None,
        }),
        vis: (arguments.transport == Transport::Vis).then_some(vis::Offer { vectors }),
        ..MmioOptions::default()
    }
}
