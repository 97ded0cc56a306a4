// CStartup declares nothing: its functions stand in for ones of Swift's runtime (see Startup.c).
