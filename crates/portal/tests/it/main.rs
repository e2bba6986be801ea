//! The portal as a browser meets it, in process.
//!
//! * [`pages`] – every page: there, sound, in three languages
//! * [`hostile`] – markup in every name and in every field
//! * [`guard`] – who gets in, and which forms count
//! * [`forms`] – every form: what it does, and how it says no
//! * [`second_person`] – resource guards, and what takes two
//! * [`guest_log`] – what a guest says, as text
//! * [`live`] – pages are told what changes, people what ended
//! * [`facts`] – what is said is so now
//! * [`access`] – what somebody signs in with
//! * [`codes`], [`outside`] – codes beside the password, and an outside provider
//! * [`texts`] – the catalogues

#![allow(clippy::unwrap_used)]

mod access;
mod codes;
mod facts;
mod forms;
mod guard;
mod guest_log;
mod hostile;
mod live;
mod outside;
mod pages;
mod second_person;
mod texts;
mod world;
