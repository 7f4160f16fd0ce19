module sluice/pause

go 1.24
