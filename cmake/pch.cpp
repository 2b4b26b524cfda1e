// Carries the precompiled header of the project and nothing else.
