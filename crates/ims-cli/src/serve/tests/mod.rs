// SPDX-License-Identifier: Apache-2.0 OR MIT

mod client;
mod config;
mod flags;
mod running;
