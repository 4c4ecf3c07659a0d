# Run by cpack before it packs: Debian wants manual pages compressed, the same bytes each time. Elsewhere they are not.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/man[1-8]/*.[1-8]"
     "${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/man[1-8]/*.[1-8]")
list(REMOVE_DUPLICATES pages)
foreach(page IN LISTS pages)
  execute_process(COMMAND gzip -9n ${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
