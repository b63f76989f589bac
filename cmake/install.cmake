# `cmake --install`: programs under the prefix, configuration always under /etc, where fipd looks for
# it. Files that a site edits are never overwritten. systemd reads units, users, tmpfiles and
# modules of /usr/local/lib as of /usr/lib, so both prefixes work.
# fipctl and its completions install themselves (daemon/control/fipctl).
include(GNUInstallDirs)
set(FIPD_SYSCONFDIR /etc CACHE PATH "Where configuration goes")
mark_as_advanced(FIPD_SYSCONFDIR)

if(TARGET fipd)
  install(TARGETS fipd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
# fipd_install_once(FILE FOLDER): unless the site has one already.
function(fipd_install_once file folder)
  get_filename_component(name ${file} NAME)
  install(CODE "
    if(NOT EXISTS \"\$ENV{DESTDIR}${folder}/${name}\")
      file(INSTALL \"${PROJECT_SOURCE_DIR}/${file}\" DESTINATION \"${folder}\")
    else()
      message(STATUS \"Kept: \$ENV{DESTDIR}${folder}/${name}\")
    endif()")
endfunction()

fipd_install_once(conf/fipd.toml ${FIPD_SYSCONFDIR}/fipd)
fipd_install_once(conf/bird/fipd-local.conf ${FIPD_SYSCONFDIR}/bird)
install(FILES conf/bird/fipd.conf DESTINATION ${FIPD_SYSCONFDIR}/bird)
install(FILES conf/iproute2/rt_tables.d/fipd.conf DESTINATION ${FIPD_SYSCONFDIR}/iproute2/rt_tables.d)
install(FILES conf/iproute2/rt_protos.d/fipd.conf DESTINATION ${FIPD_SYSCONFDIR}/iproute2/rt_protos.d)
install(DIRECTORY DESTINATION ${FIPD_SYSCONFDIR}/fipd/conf.d)
install(DIRECTORY DESTINATION ${FIPD_SYSCONFDIR}/fipd/floating-ips.d)

# The unit names the daemon and its documentation where this installation puts them: known only now,
# because of `cmake --install --prefix`.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/systemd/fipd.service\" unit)
  string(REPLACE /usr/sbin/fipd
    \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SBINDIR}/fipd\" unit \"\${unit}\")
  string(REPLACE /usr/share/doc/fipd
    \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\" unit \"\${unit}\")
  file(WRITE \"${CMAKE_CURRENT_BINARY_DIR}/fipd.service\" \"\${unit}\")
  file(INSTALL \"${CMAKE_CURRENT_BINARY_DIR}/fipd.service\"
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")")
install(FILES systemd/fipd.sysusers RENAME fipd.conf DESTINATION lib/sysusers.d)
install(FILES systemd/fipd.tmpfiles RENAME fipd.conf DESTINATION lib/tmpfiles.d)
install(FILES systemd/fipd.modules-load RENAME fipd.conf DESTINATION lib/modules-load.d)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
file(GLOB documents CONFIGURE_DEPENDS docs/*.md docs/*.yaml)
install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(section 1 5 7 8)
  file(GLOB pages CONFIGURE_DEPENDS docs/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(DIRECTORY conf/bird/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
