// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device: a server of the vfio-user protocol, in a process of its own.

mod control;
mod handshake;
mod server;

pub(crate) use control::{Device, Kind, Served, Vector};
pub(crate) use server::{Program, Server};
